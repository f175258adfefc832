"""What touches environments runs where the variable RUNNER says, executed."""

import pytest

from machinery.tests.workflows.road import Road

pytestmark = pytest.mark.slow


@pytest.fixture
def road(repository):
    """A repository on its first day."""
    made = Road(repository)
    yield made
    made.end()


@pytest.mark.parametrize("runner", ["", '["gpu"]'])
def test_it_goes_to_the_runner_that_is_named(road, runner):
    """GitHub's without one."""
    road.clock("deploy.yml", variables={"RUNNER": runner}).require("Due")


def test_where_no_machine_has_that_label_nothing_takes_the_job(road):
    """It waits, rather than run where it reaches nothing."""
    run = road.clock("deploy.yml", variables={"RUNNER": '["elsewhere"]'})
    assert run.jobs["Due"].steps == {}
