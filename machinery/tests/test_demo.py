"""The demonstration in a fork unlike the example; machinery/tests/docs runs the whole of it."""

from types import SimpleNamespace

import pytest

from mlops.errors import UserError
from mlops.steps import demo


class Told(demo.Demo):
    """A demonstration that only notes what it would run."""

    def __init__(self):
        super().__init__()
        self.ran = []

    def run(self, *words, expect=0):
        del expect
        self.ran.append(" ".join(words))
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
def test_a_release_goes_through_however_many_environments(monkeypatch, names, ran):
    """What lies between the first and the last is load tested."""
    monkeypatch.setattr(demo.environments, "names", lambda: names)
    told = Told()
    demo.to_production(told)
    assert told.ran == ran


def test_data_too_few_to_tell_of_new_ones_are_a_mistake(monkeypatch):
    """One to train on, one to judge on, and one that arrives."""
    data = SimpleNamespace(partitions=lambda: ["q1", "q2"])
    monkeypatch.setattr(demo.contract, "team_data", lambda: data)
    with pytest.raises(UserError, match="three partitions.* There are q1, q2"):
        demo.story(Told())


@pytest.mark.parametrize("refused", [True, False])
def test_a_chapter_left_out_is_not_told_of(capsys, refused):
    """In a fork with other parameters nothing is refused, and there is no report of it."""
    demo.summary(Told(), kept=False, refused=refused)
    said = capsys.readouterr().out
    assert [("one change was refused" in said), ("refused.html" in said)] == [refused, refused]
