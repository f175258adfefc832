"""A file that git cannot read is no file that is absent: nothing is decided without it."""

import os
from pathlib import Path

import pytest

from mlops import git
from mlops.errors import UserError
from mlops.gate.waivers import committed
from mlops.releases.champion import champion
from mlops.releases.release import Origin, Release, read_release

EVERYWHERE = ("dev", "staging", "production")
ME = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.org")
STAGING = Path("environments/staging/release.yaml")


@pytest.fixture
def foreign(clone, monkeypatch):
    """A checkout with a champion that git refuses to read, as one of another user."""
    clone.ship(*EVERYWHERE)
    assert champion() is not None
    # Git's own switch for what it does in a folder of another user.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    return clone


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize("read", [champion, committed, git.head])
def test_a_checkout_of_another_user(read):
    """Without a champion every model passes, so the reason is git's, not "no champion yet"."""
    with pytest.raises(UserError, match=r"(?s)dubious ownership.*safe\.directory"):
        read()


def test_the_steps_in_a_checkout_of_another_user(foreign):
    """Each ends with an error, and with git's words."""
    for arguments in (
        ("promote", "--env", "dev"),
        ("rollback", "--env", "production", "--reason", "slow"),
        ("deploy", "--env", "dev"),
        ("check-release", "--base", "HEAD"),
    ):
        answer = foreign.mlops(*arguments)
        assert answer.code == 2 and "dubious ownership" in answer.text, arguments


def test_a_subfolder_of_another_repository(clone, tmp_path, monkeypatch):
    """Its commits are another project's, and the files of this one are not where they should be."""
    fork = tmp_path / "outer/fork"
    clone.git("clone", "-q", ".", str(fork))
    monkeypatch.chdir(fork)
    assert champion() is None and git.head()
    (fork / ".git").rename(tmp_path / "outer/.git")
    git.git("-C", "..", "add", "--all")
    git.git("-C", "..", *ME, "commit", "-qm", "All of it")
    monkeypatch.chdir(tmp_path)
    fork.rename(tmp_path / "outer/moved")
    monkeypatch.chdir(tmp_path / "outer/moved")
    for read in (champion, committed, git.head):
        with pytest.raises(UserError, match="is the subfolder moved/ of another git repository"):
            read()


def test_a_commit_that_is_not_here(clone):
    """It is an error, and a file that the commit lacks is none."""
    assert git.show("HEAD", STAGING) is not None
    assert git.show("HEAD", Path("environments/staging/nothing.yaml")) is None
    assert git.show("HEAD", STAGING.parent) is None
    with pytest.raises(UserError, match="ls-tree failed"):
        git.show("1" * 40, STAGING)
    assert clone.held("staging") is None


def test_a_promotion_from_a_commit_that_is_not_here(clone):
    """Somebody wrote the file by hand: a refusal, as for every other wrong file."""
    clone.ship("dev", "staging")
    release = read_release(STAGING)
    origin = Origin.model_validate({**dict(release.spec.promoted_from), "commit": "1" * 40})
    spec = release.spec.model_copy(update={"promoted_from": origin})
    STAGING.write_text(Release(spec=spec).text, "utf-8")
    clone.git("commit", "-q", "--amend", "--no-edit", "--", str(STAGING))
    assert clone.refused_at_deploy("staging") == ["P108", "P115"]


@pytest.mark.usefixtures("clone")
def test_no_commit_and_no_repository(tmp_path, monkeypatch):
    """Only an empty repository has no commit yet."""
    for name, words in (("empty", "There is no commit here yet"), ("none", "not a git repository")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        if name == "empty":
            git.git("init", "-q")
        else:
            monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
        with pytest.raises(UserError, match=words):
            git.head()


def test_a_hook_that_names_another_repository(clone, tmp_path_factory, monkeypatch):
    """Hooks, aliases and `rebase --exec` set these; the promotion belongs where it was run."""
    other = tmp_path_factory.mktemp("other")
    clone.git("clone", "-q", ".", str(other))
    before = clone.git("-C", str(other), "rev-parse", "HEAD")
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(other / ".git"))
        hook.setenv("GIT_WORK_TREE", str(other))
        hook.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
        hook.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git/objects"))
        hook.setenv("GIT_PREFIX", "sub/")
        clone.ship("dev")
        assert clone.held("dev")
    assert clone.git("-C", str(other), "rev-parse", "HEAD") == before
    assert clone.git("-C", str(other), "status", "--porcelain") == ""
    assert clone.git("log", "-1", "--format=%s").startswith("Promote ")
    assert clone.git("status", "--porcelain") == "" and "GIT_DIR" not in os.environ
