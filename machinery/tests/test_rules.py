"""How what a rule found is kept and told, whatever the rule."""

import dataclasses

import pytest

from mlops import gate
from mlops.rules import RULES, Finding, by_kind, find


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.12345, "0.1235"), (-9.99994, "-9.9999"), (10, "10"), (-12345.678, "-1.235e+04")],
)
def test_numbers_are_told_to_four_digits(value, told):
    """Enough to compare by, and no column full of digits."""
    assert gate.number(value) == told


def test_what_is_no_number_is_told_so():
    """Alone, with its interval, and as a difference."""
    nothing = {"value": None, "low": None, "high": None}
    assert gate.number(None) == gate.interval(nothing) == "no number"
    assert gate.interval({"value": 0.5, "low": 0.4, "high": 0.6}) == "0.5000 [0.4000, 0.6000]"
    assert gate.signed(nothing | {"value": 0.5}) == "+0.5000 [no number, no number]"


@pytest.mark.parametrize(("many", "told"), [(1, (1, 0)), (4, (4, 0)), (5, (3, 2))])
def test_of_many_findings_of_a_kind_the_first_few_are_told(many, told):
    """A line that says there is one more takes as much room as the one."""
    findings = [find(RULES[0], str(number), False, "") for number in range(many)]
    ((shown, rest),) = by_kind(findings)
    assert (len(shown), len(rest)) == told


def test_a_finding_is_kept_as_it_was():
    """Only one that is waived says so."""
    finding = find(RULES[0], "data", False, "bad")
    waived = dataclasses.replace(finding, waived=True)
    assert "waived" not in finding.as_dict() and waived.as_dict()["waived"] is True
    assert [Finding.of(one.as_dict()) for one in (finding, waived)] == [finding, waived]
