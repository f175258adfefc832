"""What is merged is released, also when the run of its own push was not the one to do it."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def released(road):
    """The last run that succeeded was of the release in production."""
    road.ended("release.yml", road.git("rev-parse", "main"), "success")


def test_a_copy_that_nobody_has_taken_over_publishes_nothing(repository):
    """The first push of *Use this template*: it is planned, and the page of the run says why."""
    repository.write(".github/CODEOWNERS", "#*  @OWNER\n")
    repository.commit("As it comes")
    run = repository.act("push", repository.push() | {"before": "0" * 40}, "release.yml")
    assert run.results == {"Plan / what is needed": "success"}
    assert "nobody has taken this copy over" in run.summary


def test_by_hand_it_runs_on_main_only(repository):
    """Otherwise a branch that nobody approved would train, package and sign as main does."""
    repository.git("checkout", "--quiet", "-b", "mine")
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    repository.commit("Mine")
    about = {"ref": "refs/heads/mine", "repository": repository.about(), "inputs": {}}
    for workflow, first in (
        ("release.yml", "Plan / what is needed"),
        ("deploy.yml", "Due"),
    ):
        run = repository.act("workflow_dispatch", about, workflow)
        assert run.results == {first: "failure"}
        assert "Use workflow from: main" in run.log


def test_a_page_makes_no_release(road):
    """Compared with what was released, nothing that a model is made from differs."""
    road.repository.write("machinery/docs/more.md", "More")
    road.repository.commit("Tell more")
    run = road.act("push", "release.yml")
    run.require("Plan / what is needed")
    assert "Train / candidate" not in run.results and road.open == []


def test_a_model_whose_run_gave_way_is_released_by_the_next_merge(road):
    """It waited for another run when a page was merged."""
    road.repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    road.ended("release.yml", road.repository.commit("Another model"), "cancelled")
    road.repository.write("machinery/docs/more.md", "Still more")
    road.repository.commit("Tell more")
    run = road.act("push", "release.yml")
    run.require("Train / candidate", "Propose / promote dev")
    assert [branch.split("/")[1] for branch in road.open] == ["dev"]
