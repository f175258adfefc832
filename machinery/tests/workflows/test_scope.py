"""What a pull request may do to releases, executed: the promotion is green, the smuggler is red."""

import pytest

from machinery.tests.workflows.repositories import copy
from machinery.tests.workflows.road import Road

pytestmark = pytest.mark.slow

POLICY = "environments/staging/policy.yaml"
OURS = "https://github.com/o/r/.github/workflows/reusable-sign.yml@refs/heads/main"


@pytest.fixture(scope="module")
def in_dev(shipped, tmp_path_factory):
    """A repository with a second release in dev: others are copies of it."""
    made = Road(copy(shipped, tmp_path_factory.mktemp("in-dev") / "home"), begun=True)
    made.repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    made.repository.commit("Another model")
    made.ship("dev")
    made.end()
    return made.repository


@pytest.fixture
def staged(in_dev, tmp_path):
    """A road of one's own, with a second release in dev."""
    made = Road(copy(in_dev, tmp_path / "home"), begun=True)
    yield made
    made.end()


def answered(road):
    """Open a pull request with HEAD and what was changed; return its run."""
    road.git("checkout", "--quiet", "-b", "change")
    event = road.repository.pull_request()
    return road.act("pull_request", "ci.yml", event)


def test_a_promotion_is_green(staged):
    """It trains nothing, and lint finds that it may."""
    staged.mlops("promote", "--env", "staging")
    run = answered(staged)
    run.require("Plan / what is needed", "Lint", "all-green")
    assert "Train / candidate" not in run.results


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("environments/staging/settings.yaml", "workers: 1", "workers: 9"),
        ("params.yaml", "ridge: 0.4", "ridge: 0.3"),
    ],
)
def test_a_promotion_with_something_beside_it_is_red(staged, file, old, new):
    """Settings or code beside it are named."""
    staged.mlops("promote", "--env", "staging")
    staged.repository.edit(file, old, new)
    run = answered(staged)
    assert run.results["Lint"] == "failure" and run.results["all-green"] == "failure"
    assert "P130" in run.summary and file in run.summary


def test_two_environments_are_red(staged):
    """One pull request, one environment."""
    staged.git("push", "--quiet", "--force", "origin", "main~1:main")
    staged.mlops("promote", "--env", "staging")
    run = answered(staged)
    assert run.results["all-green"] == "failure"
    assert "It decides the releases of dev, staging" in run.summary


def test_an_unsigned_release_is_red_where_the_policy_asks_for_a_signature(staged):
    """Lint reads the store: a cluster takes what is merged, and no `deploy` looks again."""
    staged.git("checkout", "--quiet", "-b", "change")
    staged.mlops("promote", "--env", "staging")
    staged.git("checkout", "--quiet", "main")
    staged.repository.edit(POLICY, "freeze: []", f"freeze: []\nsigned_by: [{{identity: {OURS}}}]")
    staged.repository.commit("Only what our workflow built")
    staged.git("checkout", "--quiet", "change")
    run = staged.act("pull_request", "ci.yml", staged.repository.pull_request())
    assert run.results["Lint"] == "failure" and run.results["all-green"] == "failure"
    assert "P122" in run.summary
