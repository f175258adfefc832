"""environments/waivers.yaml: findings of the gate that the team accepts, each until a day.

A waived finding stays in the verdict and the report but decides nothing.
"""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, date, datetime

from mlops import git
from mlops.config.documents import Acceptance, NonEmpty, parse_list
from mlops.gate.catalogue import RULES as CANDIDATE_RULES
from mlops.paths import ENVIRONMENTS
from mlops.rules import Finding, Rule, Verdict

WAIVERS = ENVIRONMENTS / "waivers.yaml"
NOT_EXPIRED = Rule("V101", "No waiver has expired.")
MAY_BE_WAIVED = Rule("V102", "Every waiver names a rule that may be waived.")
RULES = (NOT_EXPIRED, MAY_BE_WAIVED)
WAIVABLE = tuple(rule.id for rule in CANDIDATE_RULES if rule.waivable)


class Waiver(Acceptance):
    """A finding that is accepted until a day, that day included."""

    rule: NonEmpty
    subject: NonEmpty | None = None

    def covers(self, finding: Finding) -> bool:
        """Return whether this waives a finding; without a subject it waives all of the rule."""
        return finding.rule == self.rule and self.subject in (None, finding.subject)

    @property
    def name(self) -> str:
        """The rule, and the subject if the waiver names one."""
        return f"{self.rule} {self.subject}" if self.subject else self.rule


def parse_waivers(text: str) -> tuple[Waiver, ...]:
    """Parse the file's text; raises UserError. A file of comments holds no waiver."""
    return parse_list(text, str(WAIVERS), Waiver)


def committed() -> tuple[Waiver, ...]:
    """Return the waivers in HEAD: nobody else has reviewed one that is not committed."""
    return parse_waivers(git.show("HEAD", WAIVERS) or "")


def today() -> date:
    """Return the day in UTC, so that all machines agree on it."""
    return datetime.now(UTC).date()


def applied(findings: list[Finding]) -> list[Finding]:
    """Return the findings after today's committed waivers."""
    return apply(findings, committed(), today())


def apply(findings: list[Finding], waivers: tuple[Waiver, ...], day: date) -> list[Finding]:
    """Return the findings, waived ones marked, followed by the findings about the waivers."""
    return [*marked(findings, waivers, day), *judge(waivers, day)]


def marked(findings: list[Finding], waivers: tuple[Waiver, ...], day: date) -> list[Finding]:
    """Return the findings, those marked that a valid waiver covers on this day."""
    valid = [one for one in waivers if day <= one.until and one.rule in WAIVABLE]
    return [_marked(finding, valid) for finding in findings]


def judge(waivers: tuple[Waiver, ...], day: date) -> list[Finding]:
    """Check that no waiver has expired and that each names a rule that may be waived."""
    findings = [finding for waiver in waivers for finding in _judge_one(waiver, day)]
    if not waivers:
        findings.append(NOT_EXPIRED.finding("waivers", True, "Nothing is waived."))
    if all(waiver.rule in WAIVABLE for waiver in waivers):
        findings.append(MAY_BE_WAIVED.finding("waivers", True, f"Waivers: {len(waivers)}."))
    return findings


def _judge_one(waiver: Waiver, day: date) -> Iterator[Finding]:
    terms = f"until {waiver.until} by {waiver.by}: {waiver.reason}"
    message = f"Waived {terms}"
    if day > waiver.until:
        message = f"It was waived {terms} Fix the cause, or agree on a new day, in {WAIVERS}."
    yield NOT_EXPIRED.finding(waiver.name, day <= waiver.until, message)
    if waiver.rule not in WAIVABLE:
        ids = {rule.id for rule in (*CANDIDATE_RULES, *RULES)}
        why = "is never waived" if waiver.rule in ids else "is not a rule"
        message = f"{waiver.rule} {why}. {WAIVERS} may name {', '.join(WAIVABLE)}."
        yield MAY_BE_WAIVED.finding(waiver.name, False, message)


def _marked(finding: Finding, waivers: list[Waiver]) -> Finding:
    waiver = next((waiver for waiver in waivers if waiver.covers(finding)), None)
    if waiver is None or finding.verdict is Verdict.PASS:
        return finding
    note = f"Waived until {waiver.until} by {waiver.by}: {waiver.reason}"
    return dataclasses.replace(finding, waived=True, message=f"{finding.message} {note}")
