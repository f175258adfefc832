"""The demonstration in forks unlike the example; machinery/tests/docs runs all of it."""

from types import SimpleNamespace

import pytest

from mlops.errors import UserError
from mlops.steps import demo


class RecordingDemo(demo.Demo):
    """A demonstration that records the steps it would run."""

    def __init__(self):
        super().__init__()
        self.ran = []

    def run(self, *arguments, expect=0):
        del expect
        self.ran.append(" ".join(arguments))
        return ""


@pytest.mark.parametrize(
    ("names", "ran"),
    [
        (["live"], ["promote deploy --env live"]),
        (["dev", "live"], ["promote deploy --env dev", "promote deploy --env live"]),
        (
            ["dev", "staging", "live"],
            [
                "promote deploy --env dev",
                "promote deploy loadtest --env staging",
                "promote deploy --env live",
            ],
        ),
    ],
)
def test_a_release_goes_through_any_number_of_environments(monkeypatch, names, ran):
    """The environments between the first and the last are load tested."""
    monkeypatch.setattr(demo.environments, "names", lambda: names)
    recording = RecordingDemo()
    demo.to_production(recording)
    assert recording.ran == ran


def test_fewer_than_three_partitions_are_a_mistake(monkeypatch):
    """The demonstration needs one to train on, one to judge on, and one that arrives."""
    data = SimpleNamespace(partitions=lambda: ["q1", "q2"])
    monkeypatch.setattr(demo.contract, "team_data", lambda: data)
    with pytest.raises(UserError, match="three partitions.* There are q1, q2"):
        demo.story(RecordingDemo())


@pytest.mark.parametrize("refused", [True, False])
def test_the_summary_omits_a_chapter_that_was_left_out(capsys, refused):
    """In a fork with other parameters nothing is refused, so the summary shows no such report."""
    demo.summary(RecordingDemo(), services_run=False, refused=refused)
    output = capsys.readouterr().out
    assert [("one change was refused" in output), ("refused.html" in output)] == [refused] * 2
