"""machinery/docs/deploy.md agrees with the code."""

from pathlib import Path

from mlops.load.loadtest import RULES

PAGE = Path(__file__).parents[3] / "machinery/docs/deploy.md"


def test_the_page_lists_every_rule_in_its_words():
    """The table equals the list of rules, row by row."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| L1")]
    assert rows == [f"| {rule.id} | {rule.sentence} |" for rule in RULES]
