"""Rules that stop a release for a time: the quarantine and the freeze windows."""

from collections.abc import Iterator

from mlops.releases.quarantine import Entries, entry_of
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.rule import PromotionRule, Refusal

QUARANTINE = PromotionRule(
    "P105",
    "A quarantined release is neither promoted nor deployed.",
    "{release} was quarantined on {at}: {reason}",
    "Ship a new release. If the quarantine is a mistake, open a pull request that removes the id "
    "from environments/quarantine.yaml and gives the reason.",
)


def check_quarantine(facts: Facts) -> Iterator[Refusal]:
    """Refuse a release that HEAD holds in quarantine."""
    yield from refuse_quarantined(facts.release.release_id, facts.quarantine)


def check_base_quarantine(facts: Facts) -> Iterator[Refusal]:
    """Refuse a release that the base branch holds in quarantine."""
    yield from refuse_quarantined(facts.release.release_id, facts.base.quarantine)


def refuse_quarantined(release_id: str, entries: Entries) -> Iterator[Refusal]:
    """Refuse a release that is among these entries."""
    entry = entry_of(release_id, entries)
    if entry:
        day = entry.at.date().isoformat()
        yield QUARANTINE.refuse(release=release_id, at=day, reason=entry.reason)


FREEZE = PromotionRule(
    "P114",
    "Only a rollback moves during a freeze.",
    "{environment} is frozen from {start} to {end}, {timezone}: {reason}",
    "Wait, or change the window in environments/{environment}/policy.yaml by a pull request. "
    "`make rollback` works during a freeze.",
)


def check_freeze(facts: Facts) -> Iterator[Refusal]:
    """Refuse to promote or deploy in a freeze window."""
    # Starting the release that is live already is no change.
    if facts.is_rollback or facts.live_id == facts.release.release_id:
        return
    for window in facts.policy.freeze:
        if window.contains(facts.now):
            yield FREEZE.refuse(
                environment=facts.environment,
                start=f"{window.start:%Y-%m-%d %H:%M}",
                end=f"{window.end:%Y-%m-%d %H:%M}",
                timezone=window.timezone,
                reason=window.reason,
            )
