"""Rules, findings and verdicts, whatever is judged.

A rule is defined once, in the module that checks it; report, terminal, docs and tests quote it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any


class Verdict(StrEnum):
    """The result of a rule or of a gate; inconclusive never promotes by itself."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


_SEVERITY = list(Verdict)
# Enough to show the kind of problem; one line a slice would bury everything else.
MOST_OF_A_KIND = 3


@dataclass(frozen=True)
class Rule:
    """A condition that must hold, in one sentence; environments/waivers.yaml may waive some."""

    id: str
    sentence: str
    waivable: bool = field(default=False, kw_only=True)

    def finding(self, subject: str, passed: bool, message: str) -> "Finding":
        """Return a pass or a failure of this rule."""
        return Finding(self.id, subject, Verdict.PASS if passed else Verdict.FAIL, message)

    def inconclusive(self, subject: str, message: str) -> "Finding":
        """Return the finding that the evidence does not suffice for a yes or a no."""
        return Finding(self.id, subject, Verdict.INCONCLUSIVE, message)


@dataclass(frozen=True)
class Finding:
    """The result of one rule for one subject: the message names value, bound and remedy."""

    rule: str
    subject: str
    verdict: Verdict
    message: str
    waived: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Finding":
        """Return a finding from its plain values."""
        return cls(**{**values, "verdict": Verdict(values["verdict"])})

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain values; the key `waived` is present only where it is true."""
        values = asdict(self)
        return values if self.waived else {key: values[key] for key in values if key != "waived"}


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict, a waived finding counting as a pass; inconclusive if none."""
    verdicts = [Verdict.PASS if one.waived else one.verdict for one in findings]
    return max(verdicts, key=_SEVERITY.index) if verdicts else Verdict.INCONCLUSIVE


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, failures first."""
    return sorted(findings, key=lambda finding: -_SEVERITY.index(finding.verdict))


def abridged(findings: Iterable[Finding]) -> Iterator[tuple[list[Finding], list[Finding]]]:
    """Yield, for each run of findings of one rule and verdict, the first few and the rest."""
    for _, run in groupby(findings, key=lambda one: (one.waived, one.verdict, one.rule)):
        alike = list(run)
        # One more finding takes no more room than the line "1 more".
        shown = len(alike) if len(alike) <= MOST_OF_A_KIND + 1 else MOST_OF_A_KIND
        yield alike[:shown], alike[shown:]
