"""Going back, executed: one commit with its quarantine, deployed, and followed by nothing."""

import pytest

pytestmark = pytest.mark.slow

REASON = '"; touch pwned; echo $(touch pwned) `touch pwned` @all | <b>'


@pytest.fixture(scope="module")
def releases(road):
    """The ids of two releases that production held, one after the other."""
    first = road.held("production")
    road.repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    road.repository.commit("Another model")
    return first, road.ship("dev", "staging", "production")


@pytest.fixture(scope="module")
def proposed(road, releases):
    """Somebody ran the workflow, with a reason that is a command in every quoting."""
    assert releases
    return road.dispatch("rollback.yml", environment="production", to="", reason=REASON)


def test_a_rollback_is_proposed(road, releases, proposed):
    """The release before comes back, and the bad one goes to quarantine in the same commit."""
    proposed.require("Propose / rollback production")
    (branch,) = road.open
    assert branch == f"rollback/production/{releases[0]}"
    assert road.files(branch) == [
        "environments/production/release.yaml",
        "environments/quarantine.yaml",
    ]
    assert releases[1] in road.git("show", f"{road.tip(branch)}:environments/quarantine.yaml")


def test_its_reason_is_never_run(road, proposed):
    """It reaches the commit and the reviewer as it is."""
    assert not list(road.repository.home.rglob("pwned"))
    assert "@all" not in max(road.github.pulls.items())[1]["body"] and proposed.code == 0


def test_merged_it_is_deployed_and_nothing_follows(road, releases, proposed):
    """Production serves the earlier release; no automation brings the other one back."""
    assert proposed
    road.merge()
    run = road.act("push", "deploy.yml")
    run.require("production / Deploy / serve and verify")
    assert (
        f"production serves {releases[0]}" in run.jobs["production / Deploy / serve and verify"].log
    )
    assert road.open == [] and len(run.results) == 2


def test_what_went_back_does_not_return(road, releases, proposed):
    """Staging still holds the bad release; proposing it to production is refused."""
    assert proposed
    run = road.dispatch("promote.yml", environment="production")
    assert run.results["Propose / promote production"] == "failure"
    assert "P105" in run.jobs["Propose / promote production"].log and road.open == []
    assert road.held("staging") == releases[1]
