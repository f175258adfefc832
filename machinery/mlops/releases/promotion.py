"""The checks a release must pass to move, each with its reason in refusals.py. No I/O."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from mlops.errors import UserError
from mlops.releases import quarantine
from mlops.releases.policy import Demand, Freeze
from mlops.releases.refusals import (
    AGE,
    CATALOGUE,
    CLEAN,
    FREEZE,
    FUTURE,
    MISSING,
    ORDER,
    ORIGIN,
    OTHER,
    QUARANTINED,
    SCHEMA,
    SEAL,
    SOURCE,
    UNIQUE,
    VERDICT,
    Refusal,
    refused,
)
from mlops.releases.release import (
    Evidence,
    Release,
    catalogue_path,
    parse_release,
    seal_of,
    sequence,
)

# How far the clocks of two machines may differ.
SKEW = timedelta(minutes=5)


def sound(text: str | None, file: Path) -> Release | None:
    """Read a release file's content, None where it holds none yet; Refused when it is broken."""
    try:
        release = None if text is None else parse_release(text, str(file))
    except UserError as error:
        refusal = SCHEMA.refuse(mistakes=error, file=file)
        raise refused(f"{file} is not usable", [refusal]) from None
    broken = [] if release is None else list(check_seal(release, file))
    if broken:
        raise refused(f"{file} is not usable", broken)
    return release


def check_seal(release: Release, file: Path) -> Iterator[Refusal]:
    """Refuse content that its id does not seal."""
    seal = release.promoted.seal
    if seal_of(release.release_id) != seal:
        yield SEAL.refuse(file=file, release=release.release_id, seal=seal)


def check_catalogue(release: Release, entry: Release | None) -> Iterator[Refusal]:
    """Refuse a release that the catalogue lacks or tells otherwise."""
    file = catalogue_path(release.release_id)
    if entry is None:
        yield CATALOGUE.refuse(file=file, state="is not in HEAD or holds no release")
    elif (entry.release_id, entry.promoted) != (release.release_id, release.promoted):
        yield CATALOGUE.refuse(file=file, state="tells of other content under this id")


def check_unique(release: Release, known: Iterable[str]) -> Iterator[Refusal]:
    """Refuse a release whose number or seal another one in the catalogue has."""
    mine = release.release_id
    for other in known:
        shared = sequence(other) == sequence(mine) or seal_of(other) == seal_of(mine)
        if other != mine and shared:
            yield UNIQUE.refuse(release=mine, other=other)


def check_quarantine(release: Release, known: quarantine.Entries) -> Iterator[Refusal]:
    """Refuse a release that is in quarantine."""
    entry = quarantine.entry_of(release.release_id, known)
    if entry:
        day = entry.at.date().isoformat()
        yield QUARANTINED.refuse(release=release.release_id, at=day, reason=entry.reason)


def check_order(release: Release, held: str | None, environment: str) -> Iterator[Refusal]:
    """Refuse an older release without the mark of a rollback."""
    mine = release.release_id
    if release.spec.rollback is None and held and sequence(mine) < sequence(held):
        yield ORDER.refuse(
            environment=environment, held=held, release=mine, number=f"{sequence(mine):04}"
        )


def check_origin(release: Release, allowed: str, held: str | None) -> Iterator[Refusal]:
    """Refuse a release not taken from `allowed`, an environment that held `held` at that commit."""
    origin = release.spec.promoted_from
    if origin is None or origin.environment != allowed:
        claimed = origin.environment if origin else "nowhere"
        found = f"It comes from {claimed}; the policy here takes releases from {allowed}."
        yield ORIGIN.refuse(found=found)
    elif held != release.release_id:
        found = (
            f"At {origin.commit[:12]} {allowed} held {held or 'none'}, not {release.release_id}."
        )
        yield ORIGIN.refuse(found=found)


def check_evidence(
    release: Release, demands: Sequence[Demand], moved: datetime
) -> Iterator[Refusal]:
    """Refuse a release without the evidence a policy demanded when it moved."""
    for demand in demands:
        wanted = (demand.kind, demand.environment)
        found = [e for e in release.spec.evidence if (e.kind, e.environment) == wanted]
        mine = [e for e in found if e.release_id == release.release_id]
        words = {"kind": demand.kind, "origin": demand.environment, "release": release.release_id}
        if mine:
            yield from _judge(max(mine, key=lambda e: e.at), demand, moved, words)
        elif found:
            yield OTHER.refuse(other=found[-1].release_id, **words)
        else:
            present = [f"{e.kind} from {e.environment}" for e in release.spec.evidence]
            yield MISSING.refuse(present=", ".join(present) or "none", **words)


def _judge(
    evidence: Evidence, demand: Demand, moved: datetime, words: dict[str, str]
) -> Iterator[Refusal]:
    if evidence.verdict != "pass":
        reason = evidence.reason or "no reason given"
        yield VERDICT.refuse(verdict=evidence.verdict, reason=reason, **words)
    hours = (moved - evidence.at) / timedelta(hours=1)
    if demand.max_age_hours is not None and hours > demand.max_age_hours:
        yield AGE.refuse(age=f"{hours:.1f} h", allowed=f"{demand.max_age_hours:g} h", **words)
    yield from check_date(f"{evidence.kind} from {evidence.environment}", evidence.at, moved)


def check_date(what: str, at: datetime, now: datetime) -> Iterator[Refusal]:
    """Refuse a date that is later than now by more than clocks differ."""
    if at > now + SKEW:
        yield FUTURE.refuse(what=what, at=at.isoformat(), now=now.isoformat())


def check_freeze(windows: Iterable[Freeze], now: datetime, environment: str) -> Iterator[Refusal]:
    """Refuse to move in a freeze window."""
    for window in windows:
        if window.holds(now):
            yield FREEZE.refuse(
                environment=environment,
                start=f"{window.start:%Y-%m-%d %H:%M}",
                end=f"{window.end:%Y-%m-%d %H:%M}",
                timezone=window.timezone,
                reason=window.reason,
            )


def check_source(what: str, commit: str, reachable: bool) -> Iterator[Refusal]:
    """Refuse a commit that HEAD does not descend from."""
    if not reachable:
        yield SOURCE.refuse(what=what, commit=commit[:12])


def check_clean(differing: Iterable[str]) -> Iterator[Refusal]:
    """Refuse while files that decide differ from HEAD."""
    names = sorted(differing)
    if names:
        yield CLEAN.refuse(files=", ".join(names))
