"""The rules a candidate is judged by: an id, a sentence, and findings with their messages.

A rule is written once, here: report, terminal, docs and tests quote it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any


class Verdict(StrEnum):
    """The answer of a rule or of a gate; inconclusive never promotes by itself."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


_BY_WEIGHT = list(Verdict)
# Enough to see what kind of trouble it is; a slice a line would bury everything else.
MOST_OF_A_KIND = 3


@dataclass(frozen=True)
class Rule:
    """What must hold, in one sentence."""

    id: str
    sentence: str


@dataclass(frozen=True)
class Finding:
    """What one rule found about one subject: the message names value, bound and remedy."""

    rule: str
    subject: str
    verdict: Verdict
    message: str
    waived: bool = False

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Finding":
        """Return a finding from its plain values."""
        return cls(**{**values, "verdict": Verdict(values["verdict"])})

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain values; only one that is waived says so."""
        values = asdict(self)
        return values if self.waived else {key: values[key] for key in values if key != "waived"}


def find(rule: Rule, subject: str, good: bool, message: str) -> Finding:
    """Return what a rule found that is either kept or broken."""
    return Finding(rule.id, subject, Verdict.PASS if good else Verdict.FAIL, message)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict of several findings, that of the worst but for what is waived.

    Of none it is inconclusive.
    """
    verdicts = [Verdict.PASS if one.waived else one.verdict for one in findings]
    return max(verdicts, key=_BY_WEIGHT.index) if verdicts else Verdict.INCONCLUSIVE


def by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, failures first."""
    return sorted(findings, key=lambda finding: -_BY_WEIGHT.index(finding.verdict))


def by_kind(findings: Iterable[Finding]) -> Iterator[tuple[list[Finding], list[Finding]]]:
    """Yield, for each run of findings of one rule and verdict, the first few and the rest."""
    for _, same in groupby(findings, key=lambda one: (one.waived, one.verdict, one.rule)):
        found = list(same)
        # One more takes no more room than the line that says there is one more.
        most = len(found) if len(found) <= MOST_OF_A_KIND + 1 else MOST_OF_A_KIND
        yield found[:most], found[most:]


DATA_CHECKED = Rule("D101", "The data a model is trained and judged on keep to their schema.")
VOLUME = Rule("D102", "A partition has about as many rows as those before it.")
MISSING = Rule("D103", "A column misses about as many values as in the partitions before.")
UNSEEN = Rule("D104", "Few rows hold a category that no partition before had.")
FROZEN = Rule("D105", "No column has a single value that had several before.")
TWINS = Rule("D106", "Few held-out rows are also among those trained on.")
HELD_OUT = Rule("M101", "The held-out rows are later than all rows trained on, the champion's too.")
FINITE = Rule("M102", "Every metric is a finite number.")
BOUND = Rule("M103", "Each metric keeps to its absolute bound.")
CONSTANT = Rule("M104", "The candidate beats the best constant answer.")
ENOUGH = Rule("M105", "There are enough independent groups of rows to judge by.")
CHAMPION_RAN = Rule("M106", "The champion could be scored on the same rows.")
NOT_WORSE = Rule("M107", "The candidate is not worse than the champion by more than the margin.")
SLICES = Rule("M108", "No slice of the rows is significantly worse than with the champion.")
LEAKING = Rule("M109", "No feature predicts the outcome suspiciously well by itself.")
BELIEVABLE = Rule("M110", "No metric is too good to be true.")
BUDGET = Rule("M111", "The model keeps to its budgets of size and time.")
SAME_TWICE = Rule("M112", "A second training gives the same model.")
CALIBRATED = Rule("M113", "Scores mean what they say: they agree with the outcomes, by tenths.")
PARITY = Rule("B101", "The packed model answers over HTTP what it answers in process.")
WAIVED_IN_TIME = Rule("V101", "No waiver is over.")
WAIVED_RULE = Rule("V102", "Every waiver names a rule that may be waived.")

RULES = (
    DATA_CHECKED,
    VOLUME,
    MISSING,
    UNSEEN,
    FROZEN,
    TWINS,
    HELD_OUT,
    FINITE,
    BOUND,
    CONSTANT,
    ENOUGH,
    CHAMPION_RAN,
    NOT_WORSE,
    SLICES,
    LEAKING,
    BELIEVABLE,
    BUDGET,
    SAME_TWICE,
    CALIBRATED,
    PARITY,
    WAIVED_IN_TIME,
    WAIVED_RULE,
)
# Without these no other number means anything.
NEVER_WAIVED = (DATA_CHECKED, HELD_OUT, FINITE, PARITY, WAIVED_IN_TIME, WAIVED_RULE)
WAIVABLE = tuple(rule.id for rule in RULES if rule not in NEVER_WAIVED)
SENTENCES = {rule.id: rule.sentence for rule in RULES}
