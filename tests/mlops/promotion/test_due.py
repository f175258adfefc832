"""Which environments are due for a deployment, and what follows."""

import json

import pytest


@pytest.fixture
def due(clone, monkeypatch, tmp_path_factory):
    """Asks after an event, and returns what is to be deployed, each with what follows."""
    folder = tmp_path_factory.mktemp("event")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(folder / "event.json"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(folder / "output"))

    def ask(event, *words):
        (folder / "event.json").write_text(json.dumps(event), "utf-8")
        (folder / "output").write_text("", "utf-8")
        answer = clone.mlops("due", *words)
        assert answer.code == 0, answer.text
        (line,) = (folder / "output").read_text("utf-8").splitlines()[1:-1]
        return [tuple(one.values()) for one in json.loads(line)]

    return ask


def pushed(clone):
    """The event of the last commit being pushed."""
    return {"before": clone.git("rev-parse", "HEAD~1")}


def names(found):
    """Of what is due the environments alone."""
    return [environment for environment, _, _ in found]


def test_dev_is_followed_by_a_promotion(clone, due):
    """Staging wants nothing that is collected in dev."""
    clone.ship("dev")
    assert due(pushed(clone)) == [("dev", "staging", False)]


def test_staging_is_followed_by_its_load_test(clone, due):
    """Production wants evidence collected in staging."""
    clone.ship("dev", "staging")
    assert due(pushed(clone)) == [("staging", "", True)]


def test_production_is_followed_by_nothing(clone, due):
    """It is the last."""
    clone.ship("dev", "staging", "production")
    assert due(pushed(clone)) == [("production", "", False)]


def test_a_rollback_is_followed_by_nothing(clone, two, due):
    """What went back does not move on by itself."""
    del two
    clone.mlops("rollback", "--env", "staging", "--reason", "slow")
    assert due(pushed(clone)) == [("staging", "", False)]


def test_settings_are_deployed_policies_are_not(clone, due):
    """A policy says what may come, not what runs."""
    clone.ship("dev")
    clone.edit("environments/dev/settings.yaml", "port: 3001", "port: 3009")
    assert names(due(pushed(clone))) == ["dev"]
    clone.edit("environments/dev/policy.yaml", "from: build", "from: build # first")
    assert due(pushed(clone)) == []


def test_a_push_whose_beginning_is_gone(clone, due):
    """After a force everything that holds a release is due."""
    clone.ship("dev", "staging")
    assert names(due({"before": "0" * 40})) == ["dev", "staging"]


def test_the_clock_asks_what_runs(clone, due, monkeypatch):
    """What does not serve what it should is due; a runner's own processes are gone anyway."""
    clone.ship("dev")
    assert names(due({"schedule": "0 * * * *"})) == ["dev"]
    for kind in ("github-hosted", "self-hosted"):
        monkeypatch.setenv("RUNNER_ENVIRONMENT", kind)
        assert due({"schedule": "0 * * * *"}) == []


def test_what_is_named_is_due(clone, due):
    """Whatever it serves."""
    clone.ship("dev", "staging")
    assert due({}, "--env", "dev") == [("dev", "staging", False)]


def test_nothing_yet(clone, due):
    """A fork on its first day: nothing to deploy, and all is well."""
    assert due({"schedule": "0 * * * *"}) == []
    assert due({}, "--env", "dev") == []
    assert clone.held("dev") is None
