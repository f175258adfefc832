"""`doctor` on the machine and in the tree: what it needs no GitHub for."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlops.doctor import machine, tree
from mlops.doctor.context import Context
from mlops.doctor.findings import State
from mlops.errors import UserError
from mlops.github.api import GitHub
from mlops.github.settings import settings
from mlops.releases.store import Store

DIGEST = "sha256:" + "7" * 64
NOWHERE = Context(None)

pytestmark = pytest.mark.usefixtures("checkout")


@pytest.fixture
def released(monkeypatch):
    """Production has a release, whose bundle has a digest."""
    bundle = SimpleNamespace(promoted=SimpleNamespace(bundle=SimpleNamespace(digest=DIGEST)))
    release = SimpleNamespace(release=SimpleNamespace(release_id="flights-1", **vars(bundle)))
    monkeypatch.setattr(tree, "champion", lambda: release)
    # Whether there is a way back is asked when the model is broken, too.
    monkeypatch.setitem(sys.modules, "model", None)
    monkeypatch.delenv("MLOPS_STORE", raising=False)


def the(look):
    """The one thing a look finds."""
    (finding,) = look(NOWHERE)
    return finding


@pytest.mark.usefixtures("released")
def test_a_bundle_that_production_serves_is_looked_for(monkeypatch):
    assert the(tree.store).state is State.BAD
    assert "does not hold the bundle of flights-1" in the(tree.store).observed
    monkeypatch.setattr(Store, "has", lambda self, digest: digest == DIGEST)
    assert the(tree.store).state is State.OK


@pytest.mark.usefixtures("released")
def test_a_store_that_is_not_reached_is_no_way_back(monkeypatch):
    monkeypatch.setenv("MLOPS_STORE", "nope://flights")
    with pytest.raises(UserError, match="nope"):
        the(tree.store)


def test_signatures_that_are_demanded_are_told(checkout):
    assert the(tree.signatures).state is State.NOTE
    policy = checkout / "environments/production/policy.yaml"
    text = re.sub(r"(?m)^signed_by:.*\n", "", policy.read_text("utf-8"))
    policy.write_text(f"{text}\nsigned_by:\n  - key: ours\n", "utf-8")
    assert the(tree.signatures).observed == "demanded from the key ours"


@pytest.mark.parametrize("words, state", [("2.27.1", State.BAD), ("2.28.0", State.OK)])
def test_git_is_new_enough(monkeypatch, words, state):
    monkeypatch.setattr(machine.git, "git", lambda *_: f"git version {words}")
    assert the(machine.git_found).state is state


@pytest.mark.parametrize("version, state", [((3, 10, 9), State.BAD), ((3, 14, 0), State.OK)])
def test_python_is_one_of_those_the_lock_is_for(monkeypatch, version, state):
    monkeypatch.setattr(machine.sys, "version_info", version)
    assert the(machine.python).state is state


def test_an_environment_without_settings_is_found(checkout):
    (checkout / "environments/canary").mkdir()
    policy = (checkout / "environments/dev/policy.yaml").read_text("utf-8")
    (checkout / "environments/canary/policy.yaml").write_text(policy, "utf-8")
    assert "settings.yaml lacks canary" in the(tree.environment_names).observed


def test_owners_that_are_named_are_enough(checkout):
    (finding,) = tree.owners_named(Context(GitHub("owner/flights")))
    assert finding.state is State.BAD
    assert the(tree.owners_named).state is State.NOTE
    (checkout / ".github/CODEOWNERS").write_text("* @octocat\n", "utf-8")
    assert the(tree.owners_named).state is State.OK


def test_a_file_that_no_line_names_has_an_owner_too(checkout):
    """A new GNUmakefile would be run by the job that signs: where owners are named, it has one."""
    page = checkout / ".github/CODEOWNERS"
    page.write_text("/mlops/ @octocat\n", "utf-8")
    finding = the(tree.owners_named)
    assert finding.state is State.BAD and "no line names" in finding.observed
    page.write_text("* @octocat\n/mlops/ @octocat\n", "utf-8")
    assert the(tree.owners_named).state is State.OK


def test_the_rest_is_owned_by_the_first_line():
    """A later line wins, so the one for everything comes before all others."""
    lines = Path(".github/CODEOWNERS").read_text("utf-8").splitlines()
    paths = [line.split()[0].lstrip("#") for line in lines if " @" in line]
    assert [number for number, path in enumerate(paths) if path == "*"] == [0]


def test_a_merge_says_its_title_alone():
    """A body quotes others, as Dependabot's does; `[skip ci]` in it would start no workflow."""
    repository = settings().repository
    assert repository.squash_merge_commit_message == "BLANK"
    assert repository.squash_merge_commit_title == "PR_TITLE"
