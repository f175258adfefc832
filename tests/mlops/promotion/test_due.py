"""Which environments are due for a deployment, and what follows."""

import json

import pytest


@pytest.fixture
def due(clone, monkeypatch, tmp_path_factory):
    """Asks after an event, and returns what is to be deployed, promoted into and advanced."""
    folder = tmp_path_factory.mktemp("event")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(folder / "event.json"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(folder / "output"))

    def ask(event, *words):
        (folder / "event.json").write_text(json.dumps(event), "utf-8")
        (folder / "output").write_text("", "utf-8")
        answer = clone.mlops("due", *words)
        assert answer.code == 0, answer.text
        lines = (folder / "output").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("[")]

    return ask


def pushed(clone):
    """The event of the last commit being pushed."""
    return {"before": clone.git("rev-parse", "HEAD~1")}


def test_dev_is_followed_by_a_promotion(clone, due):
    """Staging wants nothing that is collected in dev."""
    clone.ship("dev")
    assert due(pushed(clone)) == [["dev"], ["staging"], []]


def test_staging_is_followed_by_its_load_test(clone, due):
    """Production wants evidence collected in staging."""
    clone.ship("dev", "staging")
    assert due(pushed(clone)) == [["staging"], [], ["staging"]]


def test_production_is_followed_by_nothing(clone, due):
    """It is the last."""
    clone.ship("dev", "staging", "production")
    assert due(pushed(clone)) == [["production"], [], []]


def test_a_rollback_is_followed_by_nothing(clone, two, due):
    """What went back does not move on by itself."""
    del two
    clone.mlops("rollback", "--env", "staging", "--reason", "slow")
    assert due(pushed(clone)) == [["staging"], [], []]


def test_settings_are_deployed_policies_are_not(clone, due):
    """A policy says what may come, not what runs."""
    clone.ship("dev")
    clone.edit("environments/dev/settings.yaml", "port: 3001", "port: 3009")
    assert due(pushed(clone))[0] == ["dev"]
    clone.edit("environments/dev/policy.yaml", "from: build", "from: build # first")
    assert due(pushed(clone))[0] == []


def test_a_push_whose_beginning_is_gone(clone, due):
    """After a force everything that holds a release is due."""
    clone.ship("dev", "staging")
    assert due({"before": "0" * 40})[0] == ["dev", "staging"]


def test_the_clock_asks_what_runs(clone, due, monkeypatch):
    """What does not serve what it should is due; a runner's own processes are gone anyway."""
    clone.ship("dev")
    assert due({"schedule": "0 * * * *"})[0] == ["dev"]
    for kind in ("github-hosted", "self-hosted"):
        monkeypatch.setenv("RUNNER_ENVIRONMENT", kind)
        assert due({"schedule": "0 * * * *"})[0] == []


def test_what_is_named_is_due(clone, due):
    """Whatever it serves."""
    clone.ship("dev", "staging")
    assert due({}, "--env", "dev") == [["dev"], ["staging"], []]


def test_nothing_yet(clone, due):
    """A fork on its first day: nothing to deploy, and all is well."""
    assert due({"schedule": "0 * * * *"}) == [[], [], []]
    assert due({}, "--env", "dev") == [[], [], []]
    assert clone.held("dev") is None
