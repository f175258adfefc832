"""Rules that stop a release for a time: the quarantine and the freeze windows."""

from collections.abc import Iterator

from mlops.releases.quarantine import Entries, Entry, entry_of
from mlops.releases.release import Release, sequence
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
    yield from _refuse(facts, facts.quarantine)


def check_base_quarantine(facts: Facts) -> Iterator[Refusal]:
    """Refuse a release that the base branch holds in quarantine."""
    yield from _refuse(facts, facts.base.quarantine)


def refuse_quarantined(release_id: str, entries: Entries) -> Iterator[Refusal]:
    """Refuse a release that is among these entries."""
    entry = entry_of(release_id, entries)
    if entry:
        day = entry.at.date().isoformat()
        yield QUARANTINE.refuse(release=release_id, at=day, reason=entry.reason)


SAME_MODEL = PromotionRule(
    "P134",
    "A quarantined model does not come back in a later release.",
    "{release} has the model of {other}, which was quarantined on {at}: {reason}",
    "Ship a new model. If the model was not the cause, open a pull request that adds "
    "`modelMayReturn: true` to the entry of {other} in environments/quarantine.yaml and gives the "
    "reason.",
)


def _refuse(facts: Facts, entries: Entries) -> Iterator[Refusal]:
    release_id = facts.release.release_id
    yield from refuse_quarantined(release_id, entries)
    # A rollback goes back to what ran here, and nothing may stop it but a quarantine of its own.
    if facts.is_rollback:
        return
    for entry in entries:
        if _is_later_with_model(facts.release, entry):
            yield SAME_MODEL.refuse(
                release=release_id,
                other=entry.release_id,
                at=entry.at.date().isoformat(),
                reason=entry.reason,
            )


def _is_later_with_model(release: Release, entry: Entry) -> bool:
    """Return whether a release brings back the model of a quarantined one.

    An earlier release with this model may be in use elsewhere, and must stay deployable.
    """
    is_same = entry.model_digest == release.promoted.model.digest
    is_later = sequence(release.release_id) > sequence(entry.release_id)
    return is_same and is_later and not entry.model_may_return


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
