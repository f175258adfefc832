"""The report names the slices that lost most, and counts those it leaves out."""

import pytest

from mlops.report import markdown
from mlops.report.content import content


def part(value, worse):
    """A slice that is worse than with the champion by this much log loss."""
    measured = {
        name: {"value": value, "low": value - 0.01, "high": value + 0.01}
        for name, value in (("candidate", 0.5 + worse), ("difference", worse))
    }
    return {"column": "zone", "value": value, "rows": 1200, "metrics": {"log_loss": measured}}


@pytest.fixture
def sliced(record):
    """The record with seven slices, f the worst of them."""
    parts = [part(name, 0.001 * n) for n, name in enumerate("abcdegf")]
    small = {"values": 2, "largest": ["x", "y"]}
    record["evaluation"]["slices"] = {
        "columns": {"zone": {"values": 9, "rows": 95, "small": small}},
        "comparisons": 7,
        "compared": parts,
    }
    return record


def test_the_worst_slices_are_named(sliced, judge):
    """Five of them, the worst first, with candidate and difference."""
    text = markdown.render(content(judge(sliced))).replace("\N{NO-BREAK SPACE}", " ")
    section = text.split("### Worst slices")[1].split("###")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `zone")]
    assert [line[8] for line in lines] == ["f", "g", "e", "d", "c"]
    assert lines[0].endswith("| 1,200 | 0.5060 [0.4960, 0.5160] | +0.0060 [-0.0040, +0.0160] |")
    assert "The worst 5 of 7 slices; 2 more are too small to compare." in section


def test_without_a_champion_there_are_no_differences(sliced, judge):
    """The slices are shown with the candidate's values only."""
    evaluation = sliced["evaluation"]
    evaluation["champion"] = evaluation["curves"]["champion"] = None
    for part in evaluation["slices"]["compared"]:
        part["metrics"]["log_loss"].pop("difference")
    for name in ("difference", "champion"):
        evaluation["metrics"]["log_loss"].pop(name)
    text = markdown.render(content(judge(sliced)))
    assert "| slice | rows | log loss |" in text and "comparisons" not in text


def test_without_slices_there_is_no_section(record, judge):
    """A report without slices has no empty section."""
    assert "Worst slices" not in markdown.render(content(judge(record)))
