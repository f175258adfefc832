"""A package from an index of its own, as PyTorch for the CPU, is locked and installed by hash."""

import hashlib
import os
import re
import subprocess
import sys
import threading
import venv
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops import PACKAGE
from mlops.ci.lock_places import lines_for, pages_of
from mlops.errors import UserError
from mlops.signing.sbom import locked

NAME, VERSION = "only-for-the-cpu", "2.9.0+cpu"
INDEX = {"name": "cpu", "url": "https://example.org/cpu/", "explicit": True}
LOCK = f"# made by uv\n{NAME}==2 \\\n    --hash=sha256:0\n    # via torch==1\nidna==3\n"


def write_wheel(folder):
    """Write a wheel and the page of an index that lists it."""
    stem = f"{NAME.replace('-', '_')}-{VERSION}"
    members = {
        "METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "".join(f"{stem}.dist-info/{one},,\n" for one in ("METADATA", "WHEEL", "RECORD")),
    }
    folder.mkdir(parents=True)
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{stem}.dist-info/{name}", text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    address = f"{wheel.name.replace('+', '%2B')}#sha256={digest}"
    (folder / "index.html").write_text(f'<a href="{address}">{wheel.name}</a>', "utf-8")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin # as the base has it
        """Log nothing."""


@pytest.fixture
def project(tmp_path):
    """A project that takes one package from an index of its own; the usual index is empty."""
    site = tmp_path / "site"
    write_wheel(site / "cpu" / NAME)
    (site / "usual").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["{NAME}>=2"]\n\n[dependency-groups]\nserve = ["{NAME}"]\n\n'
            f'[tool.uv.sources]\n{NAME} = {{ index = "cpu" }}\n\n'
            f'[[tool.uv.index]]\nname = "cpu"\nurl = "{url}/cpu"\nexplicit = true\n',
            "utf-8",
        )
        yield folder, url
        server.shutdown()


def run(command, folder, url, **environment):
    """Run a command with the local index as the usual one, and return the process."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "MAKE", "MFLAGS"))}
    added = {"UV_DEFAULT_INDEX": f"{url}/usual", "UV_NO_CACHE": "1", "no_proxy": "127.0.0.1"}
    return subprocess.run(
        command,
        cwd=folder,
        env=kept | added | {"PYTHONPATH": str(PACKAGE.parent)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_make_lock_writes_is_installed_anywhere(project, tmp_path):
    """The image knows the lock alone; with another hash nothing is installed."""
    folder, url = project
    make = ["make", "-f", PACKAGE / "machinery.mk", "compile", f"VENV={sys.prefix}"]
    done = run(make, folder, url)
    assert done.returncode == 0, done.stderr
    for name in ("requirements.txt", "requirements-serve.txt"):
        text = (folder / name).read_text("utf-8")
        place, pin = f"--find-links {url}/cpu/{NAME}/", rf"{NAME}=={re.escape(VERSION)}"
        assert re.match(rf"#.*\n#.*\n{place}\n{pin} \\\n    --hash=sha256:", text)
        assert f"{url}/usual" not in text
    lock = tmp_path / "elsewhere/lock.txt"
    lock.parent.mkdir()
    lock.write_text(text, "utf-8")
    venv.create(tmp_path / "venv")
    uv = [Path(sys.prefix, "bin/uv"), "pip", "sync", "--require-hashes", lock]
    options = {"VIRTUAL_ENV": str(tmp_path / "venv")}
    without = tmp_path / "elsewhere/without.txt"
    without.write_text(re.sub("(?m)^--find-links .*\n", "", text), "utf-8")
    assert run([*uv[:-1], without], lock.parent, url, **options).returncode == 1
    lock.write_text(re.sub("sha256:[0-9a-f]{64}", "sha256:" + 64 * "0", text), "utf-8")
    assert "Hash mismatch" in run(uv, lock.parent, url, **options).stderr
    lock.write_text(text, "utf-8")
    done = run(uv, lock.parent, url, **options)
    assert done.returncode == 0 and f"{NAME}=={VERSION}" in done.stderr, done.stderr


def test_compiling_again_changes_nothing(project):
    folder, url = project
    make = ["make", "-f", PACKAGE / "machinery.mk", "compile", f"VENV={sys.prefix}"]
    assert run(make, folder, url).returncode == 0
    before = (folder / "requirements.txt").read_text("utf-8")
    assert run(make, folder, url).returncode == 0
    assert (folder / "requirements.txt").read_text("utf-8") == before


@pytest.mark.parametrize(
    ("settings", "page"),
    [
        ({"sources": {NAME: {"index": "cpu"}}}, f"https://example.org/cpu/{NAME}/"),
        (
            {"sources": {"Only_for.the-CPU": [{"index": "cpu", "marker": "x"}, {"path": "y"}]}},
            f"https://example.org/cpu/{NAME}/",
        ),
        (
            {"sources": {NAME: {"index": "cpu"}}, "index": [INDEX | {"format": "flat"}]},
            "https://example.org/cpu",
        ),
        ({"sources": {"another": {"index": "cpu"}}}, None),
        ({"sources": {NAME: {"path": "machinery", "editable": True}}}, None),
        ({}, None),
    ],
    ids=["named", "for some", "flat", "not locked", "a folder", "none"],
)
def test_the_page_of_a_locked_package_is_named(settings, page):
    """By whatever spelling, and for no other package."""
    pages = pages_of({"index": [INDEX]} | settings)
    assert lines_for(LOCK, pages) == (f"--find-links {page}\n" if page else "")


def test_an_index_that_is_not_there_is_named():
    with pytest.raises(UserError, match="takes torch from the index 'gpu'; .* has cpu."):
        pages_of({"index": [INDEX], "sources": {"torch": {"index": "gpu"}}})


def test_the_bill_of_materials_lists_packages_only():
    """A place is none."""
    parts = list(locked(f"--find-links https://example.org/cpu\n{LOCK}", "3.11.2"))
    assert [part["name"] for part in parts] == [NAME, "idna"]
