"""A merge becomes a release and goes all the way, executed: who proposes what, and what it carries."""

import pytest

from tests.workflows.repositories import copy
from tests.workflows.road import Road

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def road(seed, tmp_path_factory):
    """A repository whose first model is on its way."""
    made = Road(copy(seed, tmp_path_factory.mktemp("road") / "home"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def released(road):
    """The first model is merged."""
    return road.act("push", "release.yml")


def test_a_merge_becomes_a_release(released):
    """Trained, judged, packed and signed again from what was merged."""
    released.require("Plan / plan", "Train / train", "Report / report", "Package / package")


def test_it_is_proposed_to_dev(road, released):
    """One pull request, of the environment's file and the catalogue's."""
    assert released.results["Propose / promote dev"] == "success"
    (branch,) = road.open
    release_id = branch.removeprefix("promote/dev/")
    assert road.files(branch) == [
        "environments/dev/release.yaml",
        f"environments/releases/{release_id}.yaml",
    ]
