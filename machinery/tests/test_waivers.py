"""Waivers: an objection accepted for a while is told and decides nothing; then it decides again."""

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
    """Rules and subjects that decide against the candidate."""
    found = judged(*arguments, **options)
    return {(f.rule, f.subject) for f in found if f.verdict is not Verdict.PASS and not f.waived}


def test_a_waived_objection_decides_nothing_and_stays():
    """The verdict is a pass that counts it; the finding still says fail, and why that is fine."""
    found = judged()
    assert worst(found) is Verdict.PASS
    reason = "All 4 checks passed but 1, waived for a while. Better."
    assert gate.summary(found, Verdict.PASS) == reason
    told = found[1].as_dict()
    assert (told["verdict"], told["waived"]) == ("fail", True)
    assert told["message"].endswith("Waived until 2014-01-31 by Kim: MQ leaves in March.")


def test_a_waiver_that_is_over_is_refused():
    """From the next day the objection decides again, and so does the stale waiver."""
    assert refused(day=date(2014, 2, 1)) == {("M108", "carrier=MQ"), ("V101", "M108 carrier=MQ")}


def test_a_waiver_that_is_over_is_refused_even_where_nothing_objects():
    """A file of stale exceptions is no file to trust."""
    assert refused(findings=[FINE], day=date(2014, 2, 1)) == {("V101", "M108 carrier=MQ")}


@pytest.mark.parametrize(("day", "words"), [(31, "Waived until"), (32, "It was waived until")])
def test_a_waiver_is_told_with_its_day(day, words):
    """Until then as a fact, afterwards with what to do."""
    found = judged(day=date(2014, 1, 1) + timedelta(days=day - 1))
    (said,) = [f.message for f in found if f.rule == "V101"]
    assert said.startswith(words) and ("Mend what it is about" in said) == (day > 31)


def test_another_subject_is_not_covered():
    """What was accepted for one airline is not for another."""
    assert ("M108", "carrier=MQ") in refused(TEXT.replace("MQ\n", "VX\n", 1))


def test_another_rule_is_not_covered():
    """What was accepted of a slice is accepted of nothing else there."""
    other = Finding("M107", "carrier=MQ", Verdict.FAIL, "worse.")
    assert refused(findings=[WORSE, other]) == {("M107", "carrier=MQ")}
    whole = TEXT.replace("  subject: carrier=MQ\n", "")
    assert refused(whole, findings=[WORSE, other]) == {("M107", "carrier=MQ")}


def test_what_passes_is_not_waived():
    """A waiver that nothing needs any more shows as none."""
    fine = Finding("M108", "carrier=MQ", Verdict.PASS, "as before.")
    assert judged(findings=[fine])[0] == fine


def test_without_a_subject_the_whole_rule_is_covered():
    """The team's choice, and the message shows it."""
    assert refused(TEXT.replace("  subject: carrier=MQ\n", "")) == set()


@pytest.mark.parametrize(("rule", "why"), [("M999", "is no rule"), ("M101", "is never waived")])
def test_what_cannot_be_waived_is_refused(rule, why):
    """A typing error, and a champion that knows the rows it is judged on."""
    objection = Finding(rule, "champion", Verdict.FAIL, "saw the rows.")
    text = TEXT.replace("M108", rule).replace("carrier=MQ", "champion")
    found = judged(text, [objection])
    assert not found[0].waived
    (said,) = [f for f in found if f.rule == "V102"]
    assert said.verdict is Verdict.FAIL
    assert f"{rule} {why}" in said.message and "M108" in said.message


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
