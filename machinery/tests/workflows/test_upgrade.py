"""The monthly upgrade, executed: nothing without an upstream, else one pull request."""

import shutil
import subprocess
import sys

import pytest

from machinery.tests.workflows.road import Road

pytestmark = pytest.mark.slow

FILE = ".github/upstream.yaml"


@pytest.fixture
def fresh(repository):
    """A road without a release; its machinery is version 1.0.0 with one test of its own."""
    road = Road(repository)
    tests = repository.folder / "machinery/tests"
    shutil.rmtree(tests)
    repository.write("machinery/tests/test_small.py", "def test_small():\n    assert True\n")
    release(repository.folder, "1.0.0")
    repository.commit("Release 1.0.0")
    yield road
    road.end()


def release(folder, version):
    """Release the machinery in a folder."""
    environment = {"PYTHONPATH": str(folder / "machinery"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "mlops", "release", "--version", version]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def template(fresh):
    """A repository with the releases 1.0.0, which the fork has and records, and 1.1.0."""
    repository, folder = fresh.repository, fresh.repository.home / "template"
    repository.git("clone", "--quiet", str(repository.folder), str(folder))
    repository.git("tag", "v1.0.0", folder=folder)
    commit = repository.git("rev-parse", "HEAD", folder=folder)
    log = folder / "machinery/CHANGELOG.md"
    text = log.read_text("utf-8").replace("## 1.0.0", "## Unreleased\n\n- More.\n\n## 1.0.0", 1)
    log.write_text(text, "utf-8")
    repository.git("remote", "remove", "origin", folder=folder)
    release(folder, "1.1.0")
    repository.git("commit", "--quiet", "--all", "--message", "Release 1.1.0", folder=folder)
    repository.git("tag", "v1.1.0", folder=folder)
    repository.write(FILE, f'repository: "{folder}"\ncommit: "{commit}"\n')
    repository.commit("Record upstream")
    return folder


def test_without_a_recorded_upstream_it_does_nothing(fresh):
    run = fresh.clock("upgrade.yml")
    assert run.results == {"Upgrade": "success"}
    assert not fresh.github.pulls


@pytest.mark.usefixtures("template")
def test_a_newer_release_is_proposed(fresh):
    """One job upgrades and tests without a token that writes; the next one pushes."""
    before = fresh.repository.git("rev-parse", "HEAD")
    run = fresh.clock("upgrade.yml")
    run.require("Upgrade", "Propose")
    assert fresh.open == ["upgrade/1.1.0"]
    assert fresh.repository.git("rev-parse", "main", folder=fresh.repository.forge) == before
    changed = fresh.files("upgrade/1.1.0")
    assert FILE in changed and "machinery/RELEASE" in changed and "params.yaml" not in changed
    given = [text for name, text in run.environments.items() if name.startswith("upgrade.")]
    assert given and not [text for text in given if "GITHUB_TOKEN" in text]
    assert fresh.clock("upgrade.yml").code == 0
    assert len(fresh.github.pulls) == 1


def test_the_newest_release_is_no_proposal(fresh, template):
    commit = fresh.repository.git("rev-parse", "v1.1.0", folder=template)
    fresh.repository.write(FILE, f'repository: "{template}"\ncommit: "{commit}"\n')
    fresh.repository.commit("Be there")
    run = fresh.clock("upgrade.yml")
    assert run.results == {"Upgrade": "success"} and not fresh.github.pulls
