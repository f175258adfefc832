"""Rules about the order of releases: which one an environment takes next, and from where."""

from collections.abc import Iterable, Iterator, Sequence

from mlops.releases.history import HistoryEntry
from mlops.releases.policy import BUILD
from mlops.releases.release import Release, release_file, sequence, short
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.integrity import parse_sealed
from mlops.releases.rules.rule import PromotionRule, Refusal, refused

REPLACES = PromotionRule(
    "P106",
    "release.yaml changes only by a promotion or rollback made against its current content.",
    "{file} {state}; the last promotion or rollback put {held} there, in {commit}.",
    "Restore it with `git checkout {commit} -- {file}` and commit it. Then run the promotion or "
    "rollback that you want.",
)


def check_last_move(facts: Facts) -> Iterator[Refusal]:
    """Refuse a release file in HEAD that no promotion or rollback wrote."""
    yield from refuse_hand_edit(facts.environment, facts.file_text, facts.history)


def refuse_hand_edit(
    environment: str, text: str | None, history: Sequence[HistoryEntry]
) -> Iterator[Refusal]:
    """Refuse the text of a release file if its last promotion or rollback wrote another one."""
    if history and text != history[0].version.text:
        yield REPLACES.refuse(
            file=release_file(environment),
            state=_fault(parse_sealed(text, release_file(environment)), text, history),
            held=history[0].release_id or "none",
            commit=history[0].version.commit[:12],
        )


def _fault(release: Release | None, text: str | None, history: Sequence[HistoryEntry]) -> str:
    if release is None or text in [entry.version.text for entry in history]:
        return "holds an earlier version"
    if release.release_id == history[0].release_id:
        return "was edited by hand"
    return f"supersedes {release.spec.supersedes or 'none'}"


def check_base(facts: Facts) -> Iterator[Refusal]:
    """Refuse a pull request computed against another release than the base branch holds."""
    base, supersedes = facts.base, facts.release.spec.supersedes
    if supersedes != base.release_id:
        yield REPLACES.refuse(
            file=facts.file,
            state=f"supersedes {supersedes or 'none'}",
            held=base.release_id or "none",
            commit=base.commit[:12],
        )


SEQUENCE = PromotionRule(
    "P107",
    "Only a rollback goes back to an older release.",
    "{environment} holds {held}; {release} has the lower number {number}.",
    "To go back on purpose: `make rollback ENV={environment} TO=<release id> REASON=<why>`.",
)


def check_sequence(facts: Facts) -> Iterator[Refusal]:
    """Refuse an older release without the mark of a rollback."""
    mine, previous = facts.release.release_id, facts.previous_id
    if not facts.is_rollback and previous and sequence(mine) < sequence(previous):
        yield SEQUENCE.refuse(
            environment=facts.environment,
            held=previous,
            release=mine,
            number=f"{sequence(mine):04}",
        )


ORIGIN = PromotionRule(
    "P108",
    "A release comes from the environment before, which held it.",
    "{detail}",
    "Run `make promote` for each environment in turn; none is skipped.",
)


def check_origin(facts: Facts) -> Iterator[Refusal]:
    """Refuse a promotion from another environment than the policy's, or from one without it."""
    if facts.is_rollback:
        return
    release_id, origin = facts.release.release_id, facts.release.spec.promoted_from
    expected = facts.policy.origin
    if origin is None or origin.environment != expected:
        actual = origin.environment if origin else "nowhere"
        text = f"It comes from {actual}; the policy here takes releases from {expected}."
        yield ORIGIN.refuse(detail=text)
    elif expected != BUILD and facts.origin_id != release_id:
        text = f"At {origin.commit[:12]} {expected} held {facts.origin_id or 'none'}"
        yield ORIGIN.refuse(detail=f"{text}, not {release_id}.")


RELEASE = PromotionRule(
    "P118",
    "The environment holds a release.",
    "{environment} holds none yet.",
    "`make promote ENV={environment}` brings it one.",
)


def require_release(release: Release | None, environment: str, what: str) -> Release:
    """Return the release that an environment holds; Refused if it holds none yet."""
    if release is None:
        raise refused(what, [RELEASE.refuse(environment=environment)])
    return release


EARLIER = PromotionRule(
    "P119",
    "There is an earlier release to go back to.",
    "{environment} has held {held}; no earlier one is out of quarantine.",
    "Ship a fixed release. Until then `make down ENV={environment}` stops the service.",
)
RAN_HERE = PromotionRule(
    "P120",
    "A rollback restores a release that ran in this environment.",
    "{environment} never held {release}; it has held {held}.",
    "Name one of these with TO; without TO the newest is taken.",
)


def choose_earlier(
    environment: str, history: Sequence[HistoryEntry], quarantined: Iterable[str], to: str | None
) -> HistoryEntry:
    """Return the version to go back to: the one named, else the newest out of quarantine."""
    releases = [entry for entry in history if entry.release]
    earlier = [entry for entry in releases if entry.release_id != history[0].release_id]
    names = ", ".join(dict.fromkeys(entry.release_id for entry in releases)) or "none"
    if to:
        matching = [entry for entry in earlier if is_named(entry.release_id, to)]
        refusal = RAN_HERE.refuse(environment=environment, release=to, held=names)
    else:
        matching = [entry for entry in earlier if entry.release_id not in quarantined]
        refusal = EARLIER.refuse(environment=environment, held=names)
    if not matching:
        raise refused(f"{environment} cannot go back", [refusal])
    return matching[0]


def is_named(release_id: str, name: str) -> bool:
    """Return whether a name is the release id or its short form."""
    return name in (release_id, short(release_id))


def check_ran_here(facts: Facts) -> Iterator[Refusal]:
    """Refuse a rollback to a release that did not run in this environment."""
    if not facts.is_rollback:
        return
    release_id, origin = facts.release.release_id, facts.release.spec.promoted_from
    is_here = origin is not None and origin.environment == facts.environment
    if not is_here or facts.origin_id != release_id:
        others = {entry.release_id for entry in facts.history} - {None, release_id}
        yield RAN_HERE.refuse(
            environment=facts.environment,
            release=release_id,
            held=", ".join(sorted(others)) or "none",
        )
