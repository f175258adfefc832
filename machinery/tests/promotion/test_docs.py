"""machinery/docs/promotion.md agrees with the code."""

from pathlib import Path

from mlops.releases.rules.table import RULES

PAGE = Path(__file__).parents[3] / "machinery/docs/promotion.md"


def test_the_page_lists_every_refusal_in_its_words():
    """The table is the registry, row by row."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| P1")]
    assert rows == [rule.row for rule in RULES]


def test_ids_are_unique_and_in_order():
    """An id is given once, and keeps its meaning."""
    ids = [rule.id for rule in RULES]
    assert ids == sorted(set(ids))


def test_every_refusal_is_built_in_a_test():
    """A rule is proven by what it refuses."""
    tests = "".join(
        path.read_text("utf-8") for path in Path(__file__).parents[1].rglob("test_*.py")
    )
    assert [rule.id for rule in RULES if rule.id not in tests] == []
