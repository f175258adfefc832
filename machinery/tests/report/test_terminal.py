"""The terminal shows a summary in a few lines, without control characters of others."""

import pytest

from mlops.report import terminal


def test_metrics_and_what_changed(record, judge):
    """The table is aligned and has only the columns of the comparison."""
    assert terminal.lines(judge(record)) == [
        "metric    candidate                champion                 difference"
        "                  margin",
        "log loss  0.5000 [0.4800, 0.5200]  0.5100 [0.4900, 0.5300]  "
        "-0.0100 [-0.0150, -0.0050]  0.0200",
        "Against the champion example-1: 1 partition added (2020-03), nothing else.",
    ]


def test_without_a_champion(first, judge):
    """Without a champion only the metrics are shown."""
    assert terminal.lines(judge(first)) == [
        "metric    candidate",
        "log loss  0.5000 [0.4800, 0.5200]",
    ]


@pytest.mark.parametrize("letters", ["\x1b[2J", "\u202e", "a\nb", "x" * 9000])
def test_hostile_names_stay_on_their_line(attack, judge, letters):
    """No control character, no additional line, no endless line."""
    for line in terminal.lines(judge(attack(letters))):
        assert line.isprintable() and len(line) < 1000


def test_many_metrics_stay_few_lines(record, judge):
    """The table is cut to fit on a screen."""
    metrics = record["evaluation"]["metrics"]
    record["evaluation"]["metrics"] = {f"m{n}": metrics["log_loss"] for n in range(500)}
    assert len(terminal.lines(judge(record))) == 1 + terminal.ROWS + 1
