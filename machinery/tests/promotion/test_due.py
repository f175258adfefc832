"""Which environments are due for a deployment, and what follows."""

import json

import pytest

from machinery.tests.github_api.standin import Fault

PUSH, CLOCK, BY_HAND = {"before": "0" * 40}, {"schedule": "0 * * * *"}, {"inputs": {}}


@pytest.fixture
def due(clone, github, monkeypatch, tmp_path_factory):
    """Asks after an event, and returns what is to be deployed, each with what follows."""
    github.workflows["deploy.yml"] = {}
    workflow = f"{github.repository}/.github/workflows/deploy.yml@refs/heads/main"
    variables = {"GITHUB_REF": "refs/heads/main", "GITHUB_WORKFLOW_REF": workflow}
    for name, value in (github.environment() | variables).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path_factory.mktemp("event")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(folder / "event.json"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(folder / "output"))

    def ask(event, *options):
        (folder / "event.json").write_text(json.dumps(event), "utf-8")
        (folder / "output").write_text("", "utf-8")
        answer = clone.mlops("due", *options)
        assert answer.code == 0, answer.text
        (line,) = (folder / "output").read_text("utf-8").splitlines()[1:-1]
        return [tuple(one.values()) for one in json.loads(line)]

    return ask


@pytest.fixture
def ended(clone, github):
    """Lets GitHub know of a run on main, the newest, at a commit; by default the one before."""

    def end(commit="HEAD~1", conclusion="success", event="push"):
        facts = {"id": 1 + len(github.runs), "workflow": "deploy.yml", "head_branch": "main"}
        sha = clone.git("rev-parse", commit) if commit.startswith("HEAD") else commit
        about = {"event": event, "conclusion": conclusion, "head_sha": sha}
        github.runs.insert(0, facts | about)

    return end


def names(due_list):
    """Of what is due the environments alone."""
    return [environment for environment, _, _ in due_list]


def test_dev_is_followed_by_a_promotion(clone, due, ended):
    """Staging wants nothing that is collected in dev."""
    clone.ship("dev")
    ended()
    assert due(PUSH) == [("dev", "staging", False)]


def test_staging_is_followed_by_its_load_test(clone, due, ended):
    """Production wants evidence collected in staging."""
    clone.ship("dev", "staging")
    ended()
    assert due(PUSH) == [("staging", "", True)]


def test_production_is_followed_by_nothing(clone, due, ended):
    """It is the last."""
    clone.ship("dev", "staging", "production")
    ended()
    assert due(PUSH) == [("production", "", False)]


def test_a_rollback_is_followed_by_nothing(clone, two, due, ended):
    """What went back does not move on by itself."""
    del two
    clone.mlops("rollback", "--env", "staging", "--reason", "slow")
    ended()
    assert due(PUSH) == [("staging", "", False)]


def test_settings_are_deployed_policies_are_not(clone, due, ended):
    """A policy decides what may come, not what runs."""
    clone.ship("dev")
    clone.edit("environments/dev/settings.yaml", "port: 3001", "port: 3009")
    ended()
    assert names(due(PUSH)) == ["dev"]
    clone.edit("environments/dev/policy.yaml", "from: build", "from: build # first")
    ended()
    assert due(PUSH) == []


@pytest.mark.parametrize("name", ["patch.yaml", "größe.yaml"])
def test_a_file_that_moves_is_deployed_at_both_ends(clone, due, ended, name):
    """For git it was renamed; one environment lost it, the other got it."""
    clone.ship("dev", "staging")
    clone.commit(f"environments/dev/{name}", "replicas: 2\nmemory: 1Gi\n")
    clone.git("mv", f"environments/dev/{name}", f"environments/staging/{name}")
    clone.git("commit", "-qm", "Move it")
    ended()
    assert names(due(PUSH)) == ["dev", "staging"]


def test_what_a_lost_run_had_to_do_is_still_to_be_done(clone, due, ended):
    """The run of the promotion failed or was cancelled; the next push is about something else."""
    ended("HEAD")
    clone.ship("dev")
    ended("HEAD", "failure")
    clone.commit("code.py", "answer = 43\n")
    ended("HEAD", "cancelled")
    clone.edit("environments/staging/settings.yaml", "port: 3002", "port: 3009")
    assert due({"before": clone.git("rev-parse", "HEAD~1")}) == [("dev", "staging", False)]


def test_by_the_clock_what_a_lost_run_had_to_do_goes_on(clone, due, ended, monkeypatch):
    """Somebody else deployed it, so it serves what it should; its proposal is still to be made."""
    monkeypatch.setattr("mlops.steps.due._differs", lambda _: False)
    ended("HEAD")
    clone.ship("dev")
    assert due(CLOCK) == due(BY_HAND) == [("dev", "staging", False)]
    ended("HEAD", event="schedule")
    assert due(CLOCK) == []


def test_a_run_by_hand_may_have_deployed_another_environment(clone, due, ended):
    """It succeeded for the one it named, and proves nothing about the others."""
    ended("HEAD")
    clone.ship("dev")
    ended("HEAD", event="workflow_dispatch")
    assert names(due(PUSH)) == ["dev"]


DONE = {"status": "completed", "conclusion": "success"}
WAITS = {"status": "waiting", "conclusion": None}


@pytest.fixture
def deployed(clone, github):
    """Lets GitHub know of a run that deployed an environment at HEAD, and how its jobs ended."""

    def deploy(name, *ends, ref="main"):
        number = 100 + len(github.deployments)
        about = {"id": number, "environment": name, "run": number, "ref": ref}
        github.deployments.append(about | {"sha": clone.git("rev-parse", "HEAD")})
        github.jobs[number] = [
            {"name": f"{name} / {job} / x"} | end for job, end in zip(JOBS, ends, strict=False)
        ]

    return deploy


JOBS = ("Deploy", "Propose")
ELSEWHERE = {"name": "dev / Deploy / x", "status": "completed", "conclusion": "failure"}


def test_what_waits_for_an_approval_is_on_its_way(clone, due, ended, deployed, monkeypatch):
    """Production waits, so its run is not over: neither the clock nor a push about dev starts anew.

    Otherwise each asks the reviewer again, and cancels the run that waited before.
    """
    monkeypatch.setattr("mlops.steps.due._differs", lambda one: one.name == "production")
    ended("HEAD")
    clone.ship("dev", "staging", "production")
    for name, ends in {"dev": [DONE, DONE], "staging": [DONE], "production": [WAITS]}.items():
        deployed(name, *ends)
    assert due(CLOCK) == due(BY_HAND) == due(PUSH) == []
    clone.edit("environments/dev/settings.yaml", "port: 3001", "port: 3009")
    assert names(due(PUSH)) == ["dev"]
    clone.edit("environments/production/settings.yaml", "port: 3003", "port: 3010")
    assert names(due(PUSH)) == ["dev", "production"]


def test_what_was_refused_or_failed_is_due_again(clone, due, deployed, github, monkeypatch):
    """A reviewer said no, a run was cancelled; a proposal that failed is still to be made."""
    monkeypatch.setattr("mlops.steps.due._differs", lambda _: False)
    clone.ship("dev", "staging")
    deployed("dev", DONE, {"status": "completed", "conclusion": "failure"})
    deployed("staging", {"status": "completed", "conclusion": "cancelled"})
    assert names(due(CLOCK)) == ["dev", "staging"]
    deployed("staging", DONE, {"status": "completed", "conclusion": "skipped"})
    github.jobs[102].append(ELSEWHERE)
    assert names(due(CLOCK)) == ["dev"]


def test_a_deployment_of_another_branch_says_nothing_of_this_one(clone, due, ended, deployed):
    """Somebody tried it there."""
    ended("HEAD")
    clone.ship("dev")
    deployed("dev", DONE, ref="mine")
    assert names(due(PUSH)) == ["dev"]
    deployed("dev", DONE, ref="refs/heads/main")
    assert due(PUSH) == []


def test_where_it_is_not_known_what_was_done_everything_is_due(clone, due, ended, github):
    """No run succeeded yet; the one that did was of a commit that is gone; GitHub does not say."""
    clone.ship("dev", "staging")
    assert names(due(PUSH)) == ["dev", "staging"]
    ended("1" * 40)
    assert names(due(PUSH)) == ["dev", "staging"]
    ended("HEAD")
    github.faults.append(Fault("GET", "/runs$", 502))
    assert names(due(PUSH)) == ["dev", "staging"]
    assert due(PUSH) == []


def test_the_clock_asks_what_runs(clone, due, ended, monkeypatch):
    """What does not serve what it should is due; a runner's own processes are gone anyway."""
    clone.ship("dev")
    ended("HEAD")
    assert names(due(CLOCK)) == ["dev"]
    for kind in ("github-hosted", "self-hosted"):
        monkeypatch.setenv("RUNNER_ENVIRONMENT", kind)
        assert due(CLOCK) == []


def test_on_a_laptop_what_runs_is_asked(clone, due, monkeypatch):
    """No run came before, and no push."""
    monkeypatch.delenv("GITHUB_REF")
    clone.ship("dev")
    assert names(due({})) == ["dev"]


def test_what_is_named_is_due(clone, due):
    """Whatever it serves."""
    clone.ship("dev", "staging")
    assert due({}, "--env", "dev") == [("dev", "staging", False)]


def test_nothing_yet(clone, due):
    """A fork on its first day: nothing to deploy, and all is well."""
    assert due(CLOCK) == []
    assert due({}, "--env", "dev") == []
    assert clone.held("dev") is None
