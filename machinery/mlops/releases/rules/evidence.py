"""Rules about evidence: the policy's demands, verdicts, ages and dates."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mlops.releases.policy import Demand
from mlops.releases.release import Evidence
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.rule import PromotionRule, Refusal

# The clocks of two machines may differ by this much.
SKEW = timedelta(minutes=5)

MISSING = PromotionRule(
    "P109",
    "All evidence that the policy demands is present.",
    "There is no {kind} of {release} from {origin}; there is {present}.",
    "Run the step that collects it (`make gate package`, `make loadtest ENV={origin}`), then "
    "promote.",
)
OTHER = PromotionRule(
    "P110",
    "Evidence is about this release.",
    "The {kind} from {origin} is about {other}, not about {release}.",
    "Deploy this release to {origin}, run `make loadtest ENV={origin}` and promote again.",
)


def check_evidence(facts: Facts) -> Iterator[Refusal]:
    """Refuse a promotion without the evidence that the policy demands."""
    if facts.is_rollback:
        return
    release = facts.release
    for demand in facts.policy.evidence:
        names = {
            "kind": demand.kind,
            "origin": demand.environment,
            "release": release.release_id,
        }
        matching = [e for e in release.spec.evidence if _matches(e, demand)]
        mine = [e for e in matching if e.release_id == release.release_id]
        if mine:
            yield from _judge(max(mine, key=lambda e: e.at), demand, facts, names)
        elif matching:
            yield OTHER.refuse(other=matching[-1].release_id, **names)
        else:
            present = [f"{e.kind} from {e.environment}" for e in release.spec.evidence]
            yield MISSING.refuse(present=", ".join(present) or "none", **names)


def _matches(evidence: Evidence, demand: Demand) -> bool:
    return (evidence.kind, evidence.environment) == (demand.kind, demand.environment)


FILE = PromotionRule(
    "P136",
    "Evidence comes from the file that was collected, where that file is at hand.",
    "The evidence in {release} is not that of {files}: no digest is the file's.",
    "Run `make promote` again; it copies the evidence. If the promotion was made elsewhere with "
    "evidence of its own, remove the file here.",
)


def check_evidence_files(facts: Facts) -> Iterator[Refusal]:
    """Refuse evidence that contradicts its file."""
    if facts.contradicting:
        files = ", ".join(facts.contradicting)
        yield FILE.refuse(release=facts.release.release_id, files=files)


VERDICT = PromotionRule(
    "P111",
    "The verdict of the evidence is pass; inconclusive is not enough.",
    "The verdict of the {kind} from {origin} is {verdict}: {reason}",
    "Fix what it names and ship a new release; if it is inconclusive, collect more evidence.",
)
AGE = PromotionRule(
    "P112",
    "Evidence is no older than the policy allows.",
    "The {kind} from {origin} was {age} old at the promotion; the policy allows {allowed}.",
    "Run it again (`make gate package`, `make loadtest ENV={origin}`) and promote again.",
)
FUTURE = PromotionRule(
    "P113",
    "No date is in the future.",
    "The {what} is dated {at}; it is {now} here.",
    "Set the clock of the machine that is wrong, then run the step again.",
)


def _judge(
    evidence: Evidence, demand: Demand, facts: Facts, names: dict[str, str]
) -> Iterator[Refusal]:
    # A pull request may stay open for days, so evidence is judged at its merge.
    merged_at = facts.merged_at or facts.now
    if evidence.verdict != "pass":
        reason = evidence.reason or "no reason given"
        yield VERDICT.refuse(verdict=evidence.verdict, reason=reason, **names)
    hours = (merged_at - evidence.at) / timedelta(hours=1)
    if demand.max_age_hours is not None and hours > demand.max_age_hours:
        yield AGE.refuse(age=f"{hours:.1f} h", allowed=f"{demand.max_age_hours:g} h", **names)
    yield from _check_date(f"{evidence.kind} from {evidence.environment}", evidence.at, merged_at)


def check_promotion_date(facts: Facts) -> Iterator[Refusal]:
    """Refuse a promotion that is dated later than now."""
    if facts.merged_at and not facts.is_rollback:
        yield from _check_date("promotion", facts.merged_at, facts.now)


def _check_date(what: str, at: datetime, now: datetime) -> Iterator[Refusal]:
    if at > now + SKEW:
        yield FUTURE.refuse(what=what, at=at.isoformat(), now=now.isoformat())
