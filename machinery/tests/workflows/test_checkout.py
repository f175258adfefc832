"""The stand-in for actions/checkout leaves what the real one does, history and credentials too."""

import json
import os
import subprocess
import sys

import pytest

from machinery.tests.workflows.runs import STANDINS

PLAY = STANDINS / "actions/checkout/checkout.py"


class Forge:
    """A repository with two commits on main, one on another branch, a tag and a pull request."""

    def __init__(self, home):
        self.home, self.clone = home, home / "clone"
        self.folder = home / "forges/octo-org/flights.git"
        self.clone.mkdir()
        self.git("init", "--quiet", "--bare", str(self.folder))
        for name in ("allowAnySHA1InWant", "allowFilter"):
            self.git("config", f"uploadpack.{name}", "true", folder=self.folder)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("remote", "add", "origin", str(self.folder))
        self.first, self.second = self.commit("one"), self.commit("two")
        self.git("tag", "v1", self.first)
        self.git("checkout", "--quiet", "-b", "change", self.first)
        self.third = self.commit("three")
        self.git("checkout", "--quiet", "--detach", self.second)
        self.git("merge", "--quiet", "--no-ff", "--message", "Merge", self.third)
        self.merge = self.git("rev-parse", "HEAD")
        self.git("push", "--quiet", "origin", "main", "change", "v1", "HEAD:refs/pull/7/merge")

    def git(self, *words, folder=None):
        """Run git in the clone, or in another folder."""
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in WHO}
        done = subprocess.run(
            ["git", *words],
            cwd=folder or self.clone,
            env={**os.environ, **who},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, name):
        """Commit a file of this name below a folder of this name."""
        (self.clone / name).mkdir()
        (self.clone / name / "file").write_text(name, "utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        return self.git("rev-parse", "HEAD")

    def checkout(self, at, commit, **inputs):
        """Return the folder that the stand-in checks out to for an event at a ref and commit."""
        folder = self.home / "work"
        folder.mkdir()
        for name in ("actions.jsonl", "output"):
            (self.home / name).touch()
        place = {
            "INPUTS": json.dumps({key.replace("_", "-"): one for key, one in inputs.items()}),
            "STANDIN_RUN": str(self.home),
            "STANDIN_FORGES": str(self.home / "forges"),
            "GITHUB_REPOSITORY": "Octo-Org/flights",
            "GITHUB_WORKSPACE": str(folder),
            "GITHUB_OUTPUT": str(self.home / "output"),
            "GITHUB_JOB": "job",
            "GITHUB_REF": at,
            "GITHUB_SHA": commit,
            "GITHUB_TOKEN": "canary",
            "RUNNER_TEMP": str(self.home),
            "PYTHONPATH": os.getcwd(),
        }
        subprocess.run([sys.executable, str(PLAY)], env={**os.environ, **place}, check=True)
        return folder

    def seen(self, folder):
        """Return what a checkout is on, and how many commits it has."""
        branch = self.git("branch", "--show-current", folder=folder)
        commit = self.git("rev-parse", "HEAD", folder=folder)
        return branch, commit, int(self.git("rev-list", "--count", "HEAD", folder=folder))


WHO = ("NAME", "EMAIL")


@pytest.fixture
def forge(tmp_path):
    """A repository of one's own, and what plays GitHub."""
    return Forge(tmp_path)


def test_a_pull_request_is_its_merge_commit_detached_and_alone(forge):
    folder = forge.checkout("refs/pull/7/merge", forge.merge)
    assert forge.seen(folder) == ("", forge.merge, 1)
    assert forge.git("rev-parse", "--is-shallow-repository", folder=folder) == "true"
    assert forge.git("for-each-ref", "--format=%(refname)", folder=folder) == (
        "refs/remotes/pull/7/merge"
    )


def test_a_pull_request_with_its_history_brings_all_branches_and_tags(forge):
    folder = forge.checkout("refs/pull/7/merge", forge.merge, fetch_depth="0")
    assert forge.seen(folder) == ("", forge.merge, 4)
    assert forge.git("for-each-ref", "--format=%(refname)", folder=folder).splitlines() == [
        "refs/remotes/origin/change",
        "refs/remotes/origin/main",
        "refs/remotes/pull/7/merge",
        "refs/tags/v1",
    ]


def test_a_push_is_on_its_branch(forge):
    folder = forge.checkout("refs/heads/main", forge.second)
    assert forge.seen(folder) == ("main", forge.second, 1)


def test_a_push_whose_branch_moved_on_is_still_its_commit(forge):
    folder = forge.checkout("refs/heads/main", forge.first, fetch_depth="0")
    assert forge.seen(folder) == ("main", forge.first, 1)


@pytest.mark.parametrize("ref", ["refs/heads/change", "change"])
def test_a_branch_that_is_asked_for_is_checked_out_at_its_tip(forge, ref):
    folder = forge.checkout("refs/heads/main", forge.second, ref=ref)
    assert forge.seen(folder) == ("change", forge.third, 1)


def test_a_commit_that_is_asked_for_is_detached(forge):
    folder = forge.checkout("refs/heads/main", forge.second, ref=forge.third, fetch_depth="0")
    assert forge.seen(folder) == ("", forge.third, 2)


def test_a_name_that_nothing_has_is_an_error(forge):
    with pytest.raises(subprocess.CalledProcessError):
        forge.checkout("refs/heads/main", forge.second, ref="nowhere")


def test_a_sparse_checkout_has_the_folders_it_names(forge):
    folder = forge.checkout("refs/heads/main", forge.second, sparse_checkout="two\n")
    assert sorted(path.name for path in folder.iterdir()) == [".git", "two"]


@pytest.mark.parametrize("kept", [True, False])
def test_credentials_stay_unless_they_are_not_to(forge, kept):
    inputs = {} if kept else {"persist_credentials": "false"}
    folder = forge.checkout("refs/heads/main", forge.second, **inputs)
    config = forge.git("config", "--list", "--includes", folder=folder)
    assert ("canary" in config) is kept
    assert bool(list(forge.home.glob("git-credentials-*"))) is kept
