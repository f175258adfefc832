"""The terminal shows the gist in a few lines, and obeys no letter of a stranger's."""

import pytest

from mlops.report import terminal


def test_metrics_and_what_changed(record, judge):
    """Aligned, without what the report explains at length."""
    assert terminal.lines(judge(record)) == [
        "metric    candidate                champion                 difference"
        "                  margin",
        "log loss  0.5000 [0.4800, 0.5200]  0.5100 [0.4900, 0.5300]  "
        "-0.0100 [-0.0150, -0.0050]  0.0200",
        "Against the champion example-1: 1 partition added (2020-03), nothing else.",
    ]


def test_without_a_champion(first, judge):
    """Nothing to compare with: the metrics alone."""
    assert terminal.lines(judge(first)) == [
        "metric    candidate",
        "log loss  0.5000 [0.4800, 0.5200]",
    ]


@pytest.mark.parametrize("letters", ["\x1b[2J", "\u202e", "a\nb", "x" * 9000])
def test_hostile_names_stay_on_their_line(attack, judge, letters):
    """No control letter, no line of its own, no line without end."""
    for line in terminal.lines(judge(attack(letters))):
        assert line.isprintable() and len(line) < 1000


def test_many_metrics_stay_few_lines(record, judge):
    """A screen, not a scroll."""
    metrics = record["evaluation"]["metrics"]
    record["evaluation"]["metrics"] = {f"m{n}": metrics["log_loss"] for n in range(500)}
    assert len(terminal.lines(judge(record))) == 1 + terminal.ROWS + 1
