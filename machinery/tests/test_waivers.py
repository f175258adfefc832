"""Waivers: until its last day a waived finding is shown but decides nothing."""

from datetime import date, timedelta

import pytest

from mlops import gate
from mlops.errors import UserError
from mlops.gate.waivers import apply, parse_waivers
from mlops.rules import Finding, Verdict, worst

DAY = date(2014, 1, 31)
WORSE = Finding("M108", "carrier=MQ", Verdict.FAIL, "log_loss +0.04.")
FINE = Finding("M107", "auc", Verdict.PASS, "Better.")
TEXT = """# accepted
- rule: M108
  subject: carrier=MQ
  reason: MQ leaves in March.
  by: Kim
  until: 2014-01-31
"""


def judged(text=TEXT, findings=(FINE, WORSE), day=DAY):
    """The findings after the waivers of a text."""
    return apply(list(findings), parse_waivers(text), day)


def refused(*arguments, **options):
    """Rules and subjects that fail the candidate."""
    findings = judged(*arguments, **options)
    return {(f.rule, f.subject) for f in findings if f.verdict is not Verdict.PASS and not f.waived}


def test_a_waived_objection_decides_nothing_and_stays():
    """The verdict is a pass that counts it; the finding stays a failure, with the reason."""
    findings = judged()
    assert worst(findings) is Verdict.PASS
    reason = "All 4 checks passed but 1, waived for a while. Better."
    assert gate.summary(findings, Verdict.PASS) == reason
    values = findings[1].as_dict()
    assert (values["verdict"], values["waived"]) == ("fail", True)
    assert values["message"].endswith("Waived until 2014-01-31 by Kim: MQ leaves in March.")


def test_an_expired_waiver_is_refused():
    """From the next day on the finding decides again, and the waiver fails V101."""
    assert refused(day=date(2014, 2, 1)) == {("M108", "carrier=MQ"), ("V101", "M108 carrier=MQ")}


def test_an_expired_waiver_is_refused_even_without_a_finding():
    """The file must hold valid waivers only."""
    assert refused(findings=[FINE], day=date(2014, 2, 1)) == {("V101", "M108 carrier=MQ")}


@pytest.mark.parametrize(("day", "opening"), [(31, "Waived until"), (32, "It was waived until")])
def test_a_waiver_is_reported_with_its_day(day, opening):
    """Until its day as a fact, afterwards with the remedy."""
    findings = judged(day=date(2014, 1, 1) + timedelta(days=day - 1))
    (message,) = [f.message for f in findings if f.rule == "V101"]
    assert message.startswith(opening) and ("Fix the cause" in message) == (day > 31)


def test_another_subject_is_not_covered():
    """A waiver for one airline does not cover another."""
    assert ("M108", "carrier=MQ") in refused(TEXT.replace("MQ\n", "VX\n", 1))


def test_another_rule_is_not_covered():
    """A waiver of a slice covers no other rule for it."""
    other = Finding("M107", "carrier=MQ", Verdict.FAIL, "worse.")
    assert refused(findings=[WORSE, other]) == {("M107", "carrier=MQ")}
    whole = TEXT.replace("  subject: carrier=MQ\n", "")
    assert refused(whole, findings=[WORSE, other]) == {("M107", "carrier=MQ")}


def test_a_pass_is_not_waived():
    """A waiver that is no longer needed marks nothing."""
    fine = Finding("M108", "carrier=MQ", Verdict.PASS, "as before.")
    assert judged(findings=[fine])[0] == fine


def test_without_a_subject_the_whole_rule_is_covered():
    """The waiver covers each subject."""
    assert refused(TEXT.replace("  subject: carrier=MQ\n", "")) == set()


@pytest.mark.parametrize(("rule", "why"), [("M999", "is not a rule"), ("M101", "is never waived")])
def test_what_cannot_be_waived_is_refused(rule, why):
    """An unknown rule, and the rule that held-out rows are later."""
    objection = Finding(rule, "champion", Verdict.FAIL, "saw the rows.")
    text = TEXT.replace("M108", rule).replace("carrier=MQ", "champion")
    findings = judged(text, [objection])
    assert not findings[0].waived
    (finding,) = [f for f in findings if f.rule == "V102"]
    assert finding.verdict is Verdict.FAIL
    assert f"{rule} {why}" in finding.message and "M108" in finding.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reason", "raeson", r"waivers\.yaml:4: 0\.raeson: unknown key .*'reason'"),
        ("  by: Kim\n", "", r"0\.by: this key is required"),
        ("2014-01-31", "soon", r"waivers\.yaml:6: 0\.until: found 'soon'.*date"),
        ("MQ leaves in March.", '""', r"0\.reason: found ''"),
        ("- rule", "rule", r"should be a valid array"),
    ],
)
def test_a_mistake_in_the_file_is_named(old, new, message):
    """With its file, line, key and value."""
    with pytest.raises(UserError, match=message):
        judged(TEXT.replace(old, new, 1).replace("\n  ", "\n" if new == "rule" else "\n  "))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]\n"])
def test_an_empty_file_waives_nothing(text):
    """As it is in the beginning."""
    assert refused(text) == {("M108", "carrier=MQ")}
