"""Switch between the machinery as a folder of the repository and as an installed package.

Both switches start from a clean tree, so `git reset --hard` undoes an interrupted one. Both stage
their changes, for a person to read and commit.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from mlops import __version__, git
from mlops.errors import Refused, UserError
from mlops.files import write
from mlops.upgrading import manifest, rewriting, template, upstream
from mlops.upgrading.rewriting import SIGNS, PinnedUpstream
from mlops.upgrading.template import UpstreamRecord

WORKFLOWS = ".github/workflows"
# Only the upstream needs it: it releases the machinery.
RELEASES = f"{WORKFLOWS}/machinery-release.yml"
MACHINERY = (f"{manifest.FOLDER}/", ".github/actions/", f"{WORKFLOWS}/reusable-", RELEASES)
PAGES = ("*.md", "environments/monitoring/*.yaml")
PROJECT, LOCK = Path("pyproject.toml"), Path("requirements.txt")
UNDO = "git reset --hard"
_SHOWN = 5


def make_thin(
    origin_commit: upstream.Upstream, wheel: str, source: str
) -> tuple[PinnedUpstream, list[str]]:
    """Install the machinery and remove it from the tree; returns its origin and removed files."""
    _require_clean()
    here = _require_released()
    origin, record = PinnedUpstream(origin_commit, here.version), _record(origin_commit)
    address = _address(wheel or origin_commit.wheel(here.version))
    _require_same_release(origin, source or origin_commit.url)
    digest = _require_same_package(address)
    removed = [name for name in _tracked() if name.startswith(MACHINERY) and name != SIGNS]
    _rewrite(_workflows(), lambda text, _: rewriting.workflow_outward(text, origin))
    _rewrite(_pages(), lambda text, name: rewriting.page_outward(text, name, origin))
    _rewrite([str(PROJECT)], lambda text, _: rewriting.project_outward(text, address))
    # uv's cache may hold an older file of that address than the one compared above.
    _compile("IN_TREE=", options=f"--refresh-package={rewriting.PACKAGE}")
    if digest not in LOCK.read_text("utf-8"):
        raise UserError(f"{address} changed meanwhile; its sha256 was {digest}. Undo: {UNDO}")
    git.git("rm", "--quiet", "-r", "--", *removed)
    _remove_caches(manifest.FOLDER)
    _stage(record)
    git.git("add", "--update")
    return origin, removed


def make_thick(source: str) -> tuple[PinnedUpstream, list[str]]:
    """Copy the machinery back from its upstream; returns its origin and the added files."""
    if (manifest.FOLDER / "mlops").is_dir():
        raise Refused(f"{manifest.FOLDER}/ is in the tree already; there is nothing to do.")
    _require_clean()
    origin = _origin()
    record = _record(origin.upstream)
    paths = (*MACHINERY, str(LOCK))
    with upstream.files(origin.upstream, source or origin.upstream.url, *paths) as files:
        added = _require_whole(origin, files)
        lock = (files / LOCK).read_text("utf-8")
        _rewrite(_workflows(), lambda text, _: rewriting.workflow_inward(text, origin))
        _rewrite(_pages(), lambda text, name: rewriting.page_inward(text, name, origin))
        _rewrite([str(PROJECT)], lambda text, _: rewriting.project_inward(text))
        _rewrite([str(LOCK)], lambda text, _: rewriting.lock_inward(text, lock))
        for name in added:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(files / name, name)
    _compile()
    _stage(record)
    git.git("add", "--update")
    git.git("add", "--", *added)
    return origin, added


def _record(origin: upstream.Upstream) -> UpstreamRecord:
    """Return the record of the upstream; raises UserError if the present one is malformed."""
    recorded = template.recorded(git.show("HEAD", template.FILE) or "")
    # The record may hold another address of the same repository, such as one for SSH.
    name = rf"[/:]{re.escape(origin.repository)}(\.git)?/?$"
    same = recorded and re.search(name, recorded.repository, re.IGNORECASE)
    return UpstreamRecord(recorded.repository if same else origin.url, origin.commit)


def _stage(record: UpstreamRecord) -> None:
    """Write the record, without which `upgrade.yml` does nothing, and stage it."""
    write(template.FILE, template.text(record))
    git.git("add", "--", str(template.FILE))


def _require_clean() -> None:
    if changed := git.changed():
        raise Refused(
            f"{_few(changed)} not committed, and this change replaces files. Commit or stash them; "
            f"`{UNDO}` undoes an interrupted switch."
        )


def _require_released() -> manifest.Machinery:
    here = manifest.machinery()
    if not here.in_tree:
        raise Refused("there is no folder machinery/: it is installed as a package already.")
    if not manifest.MANIFEST.exists():
        raise Refused(
            f"{manifest.MANIFEST} is missing: this machinery was not released, so it has no wheel. "
            "Release it with `make release VERSION=...`; in a fork run `make upgrade` instead."
        )
    if not here.as_released:
        raise Refused(
            f"{_few(here.changed)} not as in release {here.version} of the machinery, and "
            "its wheel would not have these changes. Propose them to the upstream, or undo "
            "them; until then keep the machinery in the tree."
        )
    return here


def _require_same_release(origin: PinnedUpstream, source: str) -> None:
    """Raise Refused if the upstream's workflows differ from those in the tree."""
    with upstream.files(origin.upstream, source, str(manifest.MANIFEST)) as files:
        theirs = files / manifest.MANIFEST
        if theirs.is_file() and theirs.read_bytes() == manifest.MANIFEST.read_bytes():
            return
        other = manifest.read(files)[0] if theirs.is_file() else "none that was released"
    name = f"{origin.upstream.repository}@{origin.upstream.commit}"
    raise Refused(
        f"UPSTREAM is {name}, whose machinery is {other}; here it is {origin.version}. Name the "
        f"commit of the tag: git ls-remote {origin.upstream.url} 'v{origin.version}*'"
    )


def _require_same_package(address: str) -> str:
    """Return the wheel's SHA-256; raises Refused if its package differs from the tree's."""
    content, theirs = _fetch(address)
    package = manifest.FOLDER / "mlops"
    ours = {
        path.relative_to(manifest.FOLDER).as_posix(): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = sorted(theirs.keys() | ours.keys())
    if differ := [name for name in names if theirs.get(name) != ours.get(name)]:
        raise Refused(
            f"WHEEL is {address}, and {_few(differ)} not as in {manifest.FOLDER}/. "
            "Name the wheel of this version."
        )
    return hashlib.sha256(content).hexdigest()


def _fetch(address: str) -> tuple[bytes, dict[str, bytes]]:
    """Return a wheel, and the files of the package in it."""
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            content = response.read()
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            names = [name for name in wheel.namelist() if name.startswith("mlops/")]
            return content, {name: wheel.read(name) for name in names if name[-1] != "/"}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"WHEEL is {address}, which could not be read: {error}. Give another one with "
            "WHEEL=<address or path>; `make wheel` builds one."
        ) from None


def require_agreement() -> None:
    """Raise UserError if the workflows call another version than the installed one."""
    if others := sorted({one.version for one in _origins()} - {__version__}):
        raise UserError(
            f"{WORKFLOWS}/ use machinery v{others[0]}, and {LOCK} pins {__version__}: a run would "
            f"mix both. Give the workflows and the wheel in {PROJECT} one version, "
            "then run: make lock"
        )


def _origin() -> PinnedUpstream:
    """Return the upstream that all workflows name; raises UserError if they differ."""
    origins = _origins()
    if len(origins) == 1:
        return origins.pop()
    names = (f"{one.upstream.repository}@{one.upstream.commit} # v{one.version}" for one in origins)
    raise UserError(
        f"{WORKFLOWS}/ use workflows of {', '.join(sorted(names)) or 'no upstream'}. Make all "
        "of them name the one commit that the machinery comes from."
    )


def _origins() -> set[PinnedUpstream]:
    texts = (Path(name).read_text("utf-8") for name in _workflows())
    return {origin for text in texts for origin in rewriting.origins(text)}


def _require_whole(origin: PinnedUpstream, files: Path) -> list[str]:
    """Return the machinery's files in a folder; raises Refused if they are not the release's."""
    here = manifest.machinery(files)
    if not here.as_released or here.version != origin.version:
        raise Refused(
            f"{origin.upstream.repository}@{origin.upstream.commit} holds machinery {here.version} "
            f"with {len(here.changed)} files that differ from that release; the workflows name "
            f"v{origin.version}. Make them name the commit of its tag."
        )
    paths = sorted(path for path in files.rglob("*") if path.is_file())
    names = (path.relative_to(files).as_posix() for path in paths)
    return [name for name in names if name != str(LOCK)]


def _compile(*variables: str, options: str = "") -> None:
    """Compile the lock as `make lock` does; raises UserError with uv's message."""
    make = os.environ.get("MAKE", "make")
    command = [make, "--no-print-directory", "compile", f"VENV={sys.prefix}", f"ARGS={options}"]
    done = subprocess.run([*command, *variables], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"the lock could not be compiled:\n{done.stderr.strip()}\nNothing was committed: "
            f"`{UNDO}` brings everything back."
        )


def _rewrite(names: Iterable[str], change: Callable[[str, str], str]) -> None:
    for name in names:
        text = Path(name).read_text("utf-8")
        changed = change(text, name)
        if changed != text:
            write(Path(name), changed)


def _remove_caches(folder: Path) -> None:
    """Remove Python's caches in a folder, and the folders that are empty afterwards."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _workflows() -> list[str]:
    """Return the workflows that stay in every repository."""
    tracked = _tracked(f"{WORKFLOWS}/*.yml")
    return [name for name in tracked if name == SIGNS or not name.startswith(MACHINERY)]


def _pages() -> list[str]:
    return [name for name in _tracked(*PAGES) if not name.startswith(MACHINERY)]


def _tracked(*patterns: str) -> list[str]:
    return [name for name in git.git("ls-files", "-z", "--", *patterns).split("\0") if name]


def _address(wheel: str) -> str:
    return wheel if "://" in wheel else Path(wheel).absolute().as_uri()


def _few(names: Iterable[str]) -> str:
    """Return the first files and the number of the others, as a subject with its verb."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{', '.join(listed[:_SHOWN])}{more} {'are' if len(listed) > 1 else 'is'}"
