"""The pointer `staging`: forward only, along main, to what was verified; then its load test."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def live(clone, forge):
    """The id of a release on main that `deploy` saw live in staging."""
    del forge
    release_id = clone.ship("dev", "staging")
    clone.merge()
    verified(clone, release_id)
    return release_id


@pytest.fixture
def workflow(monkeypatch):
    """A workflow's environment, with its own token."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


def verified(clone, release_id):
    """Record the deployment as `deploy` does."""
    deployed = {
        "releaseId": release_id,
        "commit": clone.git("rev-parse", "HEAD"),
        "url": "http://x",
    }
    Path("build/deployed").mkdir(parents=True, exist_ok=True)
    Path("build/deployed/staging.json").write_text(json.dumps(deployed), "utf-8")


def advanced(clone):
    """Move the branch, which must succeed, and return the output."""
    answer = clone.mlops("advance", "--env", "staging")
    assert answer.code == 0, answer.text
    return answer.text


def test_the_branch_moves(clone, forge, live, workflow):
    """It is at the commit verified, and its workflow was started, since the push starts nothing."""
    del live, workflow
    advanced(clone)
    assert forge.branch("staging") == clone.git("rev-parse", "HEAD")
    assert forge.dispatches == [("staging.yml", "staging", {})]


@pytest.mark.parametrize("variables", [{"GITHUB_ACTIONS": "true", "PUSH_STARTS_RUNS": "true"}, {}])
@pytest.mark.usefixtures("live")
def test_a_push_of_an_app_or_a_person_starts_the_workflow(clone, forge, monkeypatch, variables):
    """So it is not started twice."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    advanced(clone)
    assert forge.branch("staging") and not forge.dispatches


def test_again_it_stays(clone, forge, live, workflow):
    """Once its workflow ran on that commit there is nothing to do."""
    del live, workflow
    advanced(clone)
    forge.runs.append({"workflow": "staging.yml", "head_sha": forge.branch("staging"), "id": 1})
    assert "nothing to do" in advanced(clone) and len(forge.dispatches) == 1


def test_what_changes_nothing_there_is_not_tested_again(clone, forge, live, workflow):
    """Main went on, staging runs what it ran: the branch stays, and so does its evidence."""
    advanced(clone)
    tip = forge.branch("staging")
    forge.runs.append({"workflow": "staging.yml", "head_sha": tip, "id": 1})
    clone.commit("code.py", "answer = 43\n")
    clone.merge()
    verified(clone, live)
    assert "nothing to do" in advanced(clone)
    assert forge.branch("staging") == tip and len(forge.dispatches) == 1 and not workflow


@pytest.mark.parametrize("file", ["environments/staging/policy.yaml", "environments/base/x.yaml"])
@pytest.mark.usefixtures("workflow")
def test_what_changes_what_runs_is_tested_again(clone, forge, live, file):
    """The files of the environment, and what all are built upon."""
    advanced(clone)
    clone.commit(file, "from: dev\nevidence: []\n")
    clone.merge()
    verified(clone, live)
    advanced(clone)
    assert forge.branch("staging") == clone.git("rev-parse", "HEAD")


def test_killed_between_push_and_start(clone, forge, live, workflow):
    """The branch moved, and nothing ran on it: the next run starts it."""
    del live, workflow
    clone.git("push", "-q", "origin", "HEAD:staging")
    advanced(clone)
    assert len(forge.dispatches) == 1


def test_a_run_that_came_late_moves_nothing_back(clone, forge, live):
    """The branch is further along main already."""
    assert live
    clone.commit("code.py", "answer = 43\n")
    clone.merge()
    clone.git("push", "-q", "origin", "HEAD:staging")
    tip = forge.branch("staging")
    assert "which is newer" in advanced(clone) and forge.branch("staging") == tip


def test_a_branch_that_people_moved_aside(clone, forge, live):
    """It is not forced; the message names the command that puts it back."""
    assert live
    clone.git("checkout", "-qb", "aside")
    clone.commit("code.py", "answer = 44\n")
    clone.git("push", "-q", "origin", "HEAD:staging")
    tip = forge.branch("staging")
    answer = clone.mlops("advance", "--env", "staging")
    assert answer.refusals == ["P132"] and forge.branch("staging") == tip
    assert "--force-with-lease" in answer.text


def test_a_commit_that_is_not_on_main(clone, forge, live):
    """What is verified but not merged moves nothing."""
    clone.commit("code.py", "answer = 44\n")
    verified(clone, live)
    assert clone.mlops("advance", "--env", "staging").refusals == ["P132"]
    assert forge.branch("staging") is None


def test_nothing_was_verified(clone, forge):
    """Without word of `deploy` nothing moves."""
    clone.ship("dev", "staging")
    clone.merge()
    answer = clone.mlops("advance", "--env", "staging")
    assert answer.code == 2 and "make deploy ENV=staging" in answer.text
    assert forge.branch("staging") is None


def test_another_release_was_verified(clone, forge, live):
    """Word of another release than that commit holds, or of one that holds none, is worth none."""
    verified(clone, live.replace("0001", "0009"))
    assert clone.mlops("advance", "--env", "staging").code == 1
    clone.git("checkout", "-q", "HEAD~2")
    verified(clone, live)
    assert clone.mlops("advance", "--env", "staging").code == 1
    assert forge.branch("staging") is None


def test_on_a_laptop(clone, live, monkeypatch):
    """Without a token it prints what it would do."""
    assert live
    monkeypatch.delenv("GITHUB_TOKEN")
    assert "would move" in advanced(clone)
