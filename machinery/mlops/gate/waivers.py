"""environments/waivers.yaml: objections of the gate that the team accepts, each for a while.

A waived finding stays in the verdict and the report; it only decides nothing.
"""

import dataclasses
from datetime import UTC, date, datetime

from mlops import git
from mlops.config.documents import Acceptance, Words, parse_list
from mlops.paths import ENVIRONMENTS
from mlops.rules import SENTENCES, WAIVABLE, WAIVED_IN_TIME, WAIVED_RULE, Finding, Verdict, find

WAIVERS = ENVIRONMENTS / "waivers.yaml"


class Waiver(Acceptance):
    """One objection that is accepted until a day, that day included."""

    rule: Words
    subject: Words | None = None

    def covers(self, finding: Finding) -> bool:
        """Say whether a finding is what was waived; without a subject all of the rule are."""
        return finding.rule == self.rule and self.subject in (None, finding.subject)

    @property
    def name(self) -> str:
        """What is waived, in words."""
        return f"{self.rule} {self.subject}" if self.subject else self.rule


def parse_waivers(text: str) -> tuple[Waiver, ...]:
    """Read the file's content; only comments, as at first, are none. Raises UserError."""
    return parse_list(text, str(WAIVERS), Waiver)


def committed() -> tuple[Waiver, ...]:
    """Return the waivers that HEAD holds: one that is not committed was seen by nobody else."""
    return parse_waivers(git.show("HEAD", WAIVERS) or "")


def today() -> date:
    """Return the day, the same all over the world."""
    return datetime.now(UTC).date()


def applied(findings: list[Finding]) -> list[Finding]:
    """Return the findings as the waivers that are committed leave them today."""
    return apply(findings, committed(), today())


def apply(findings: list[Finding], waivers: tuple[Waiver, ...], day: date) -> list[Finding]:
    """Return the findings, those waived marked so, and what is wrong with the waivers."""
    return [*marked(findings, waivers, day), *judge(waivers, day)]


def marked(findings: list[Finding], waivers: tuple[Waiver, ...], day: date) -> list[Finding]:
    """Return the findings, those marked that a waiver covers on this day."""
    good = [one for one in waivers if day <= one.until and one.rule in WAIVABLE]
    return [_marked(finding, good) for finding in findings]


def judge(waivers: tuple[Waiver, ...], day: date) -> list[Finding]:
    """Find waivers that are over, and those of what is no rule or cannot be waived."""
    found = []
    for waiver in waivers:
        told = f"until {waiver.until} by {waiver.by}: {waiver.reason}"
        over = (
            f"It was waived {told} Mend what it is about, or agree anew, then change {WAIVERS}."
            if day > waiver.until
            else f"Waived {told}"
        )
        found.append(find(WAIVED_IN_TIME, waiver.name, day <= waiver.until, over))
        if waiver.rule not in WAIVABLE:
            what = "is never waived" if waiver.rule in SENTENCES else "is no rule"
            message = f"{waiver.rule} {what}. {WAIVERS} may name {', '.join(WAIVABLE)}."
            found.append(find(WAIVED_RULE, waiver.name, False, message))
    if not waivers:
        found.append(find(WAIVED_IN_TIME, "waivers", True, "Nothing is waived."))
    if all(waiver.rule in WAIVABLE for waiver in waivers):
        found.append(find(WAIVED_RULE, "waivers", True, f"Waivers: {len(waivers)}."))
    return found


def _marked(finding: Finding, waivers: list[Waiver]) -> Finding:
    waiver = next((waiver for waiver in waivers if waiver.covers(finding)), None)
    if waiver is None or finding.verdict is Verdict.PASS:
        return finding
    told = f"Waived until {waiver.until} by {waiver.by}: {waiver.reason}"
    return dataclasses.replace(finding, waived=True, message=f"{finding.message} {told}")
