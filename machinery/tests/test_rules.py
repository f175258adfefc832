"""Findings are stored, abridged and formatted, whatever the rule."""

import dataclasses

import pytest

from mlops import gate
from mlops.gate import RULES
from mlops.rules import Finding, abridged


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.1235"), (-9.99994, "-9.9999"), (10, "10"), (-12345.678, "-1.235e+04")],
)
def test_numbers_have_four_digits(value, text):
    """Enough to compare by."""
    assert gate.number(value) == text


def test_an_undefined_value_is_shown_as_no_number():
    """Alone, with its interval, and as a difference."""
    nothing = {"value": None, "low": None, "high": None}
    assert gate.number(None) == gate.interval(nothing) == "no number"
    assert gate.interval({"value": 0.5, "low": 0.4, "high": 0.6}) == "0.5000 [0.4000, 0.6000]"
    assert gate.signed(nothing | {"value": 0.5}) == "+0.5000 [no number, no number]"


@pytest.mark.parametrize(("count", "lengths"), [(1, (1, 0)), (4, (4, 0)), (5, (3, 2))])
def test_of_many_findings_of_a_rule_the_first_few_are_shown(count, lengths):
    """The line "1 more" takes as much room as the finding."""
    findings = [RULES[0].finding(str(number), False, "") for number in range(count)]
    ((shown, rest),) = abridged(findings)
    assert (len(shown), len(rest)) == lengths


def test_a_finding_survives_its_dictionary():
    """Only a waived one has the key `waived`."""
    finding = RULES[0].finding("data", False, "bad")
    waived = dataclasses.replace(finding, waived=True)
    assert "waived" not in finding.as_dict() and waived.as_dict()["waived"] is True
    assert [Finding.from_dict(one.as_dict()) for one in (finding, waived)] == [finding, waived]
