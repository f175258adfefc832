"""A merge becomes a release and goes all the way, executed: what runs and what is proposed."""

import re

import pytest

from machinery.tests.workflows.repositories import copy
from machinery.tests.workflows.road import Road

pytestmark = pytest.mark.slow

DEPLOYED = "{} / Deploy / serve and verify"


@pytest.fixture(scope="module")
def road(seed, tmp_path_factory):
    """A repository whose first model is yet to be released."""
    made = Road(copy(seed, tmp_path_factory.mktemp("road") / "home"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def released(road):
    """The first model was merged."""
    return road.act("push", "release.yml"), list(road.open)


@pytest.fixture(scope="module")
def in_dev(road, released):
    """Its promotion to dev was merged."""
    assert released
    road.merge()
    return road.act("push", "deploy.yml"), list(road.open)


@pytest.fixture(scope="module")
def in_staging(road, in_dev):
    """Its promotion to staging was merged."""
    assert in_dev
    road.merge()
    return road.act("push", "deploy.yml"), list(road.open)


@pytest.fixture(scope="module")
def tested(road, in_staging):
    """Branch staging was moved by the bot, which starts the load test."""
    assert in_staging
    return road.staged(), list(road.open)


@pytest.fixture(scope="module")
def in_production(road, tested):
    """Its promotion to production was merged."""
    assert tested
    road.merge()
    return road.act("push", "deploy.yml"), list(road.open)


def test_a_merge_becomes_a_release(released):
    """Trained, judged and packed again from what was merged, and signed where that can be."""
    run, _ = released
    run.require(
        "Plan / what is needed",
        "Train / candidate",
        "Package",
        "Sign / what was built",
    )
    assert {"release.yaml", "sbom.cdx.json"} == {p.name for p in run.artifact("release").iterdir()}


def test_it_is_proposed_to_dev(road, released):
    """One pull request, of the environment's file and the catalogue's."""
    (branch,) = released[1]
    release_id = re.fullmatch(r"promote/dev/(fares-\d{8}-0001-[0-9a-f]{12})", branch)[1]
    assert road.github.pulls[min(road.github.pulls)]["title"] == f"Promote {release_id} to dev"


def test_only_what_proposes_may_write(released):
    """The job that trains has no token of GitHub's to write with; checkouts keep none."""
    uses = [use["inputs"] for use in released[0].actions if use["action"] == "actions/checkout"]
    assert {use["persist-credentials"] for use in uses} == {"false"}


def test_deployed_to_dev_it_is_proposed_to_staging(in_dev):
    """The real service was started and asked; then comes one file's change."""
    run, proposals = in_dev
    run.require("Due", DEPLOYED.format("dev"), "dev / Propose / promote staging")
    assert [branch.split("/")[1] for branch in proposals] == ["staging"]
    assert "dev serves fares-" in run.jobs[DEPLOYED.format("dev")].log


def test_verified_in_staging_the_branch_moves(road, in_staging):
    """Branch staging is at main's commit, and its workflow was started: the push starts nothing."""
    run, proposals = in_staging
    run.require(DEPLOYED.format("staging"), "staging / Advance / branch staging")
    assert (road.github.dispatches, proposals) == ([("staging.yml", "staging", {})], [])


def test_under_load_it_is_proposed_to_production(road, tested):
    """With the load test's verdict as evidence in the file and in the pull request."""
    run, proposals = tested
    run.require("Load test", "Propose / promote production")
    (branch,) = proposals
    body = max(road.github.pulls.items())[1]["body"]
    assert branch.startswith("promote/production/") and "| load-test | staging | pass |" in body


def test_production_serves_it(road, in_production):
    """The job sits in the protected environment; nothing is left to propose."""
    run, proposals = in_production
    run.require(DEPLOYED.format("production"))
    assert proposals == [] and road.held("production") == road.held("dev")


def test_what_changes_no_model_makes_no_release(road, in_production):
    """The push of a promotion trains nothing: green, and one job."""
    assert in_production
    run = road.act("push", "release.yml")
    run.require("Plan / what is needed")
    assert "Train / candidate" not in run.results and road.open == []


def test_promoted_already(road, in_production):
    """By hand, what is there already: green, and no pull request."""
    assert in_production
    run = road.dispatch("promote.yml", environment="staging", **{"evidence-run": ""})
    run.require("Propose / promote staging")
    assert road.open == []


def test_by_the_clock_what_does_not_serve_is_deployed(road, in_production):
    """All three are down, as after a lost run: each is brought up, and nothing new is proposed."""
    assert in_production
    run = road.clock("deploy.yml")
    deployed = [DEPLOYED.format(name) for name in ("dev", "staging", "production")]
    run.require(*deployed, "dev / Propose / promote staging", "staging / Advance / branch staging")
    assert road.open == []


def test_on_a_hosted_runner_the_clock_finds_nothing_lost(road, in_production):
    """What ran on the runner itself is gone with its job: nothing to bring up."""
    assert in_production
    run = road.clock("deploy.yml", environment={"RUNNER_ENVIRONMENT": "github-hosted"})
    run.require("Due")
    assert "service ended with the job" in run.jobs["Due"].log and len(run.results) == 1


def test_by_the_clock_without_drift_nothing_is_proposed(road, in_production):
    """All quarters are in use, nothing was logged: green, and it says so."""
    assert in_production
    road.repository.edit("params.yaml", "last: q3", "last: q4")
    road.repository.commit("Use q4 as well")
    run = road.clock("retrain.yml")
    run.require("Monitor", "Retrain")
    assert "Retrain: no reason" in run.summary and "W101" in run.summary and road.open == []
    road.git("reset", "--quiet", "--hard", "HEAD~1")
    road.git("push", "--quiet", "--force", "origin", "main")
