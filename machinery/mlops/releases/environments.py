"""The environments: folders below environments/, in the order their policies' `from:` gives."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from mlops import git
from mlops.config.documents import Strict, parse, text_of
from mlops.errors import UserError, did_you_mean
from mlops.paths import ENVIRONMENTS, RELEASE, SIGNERS
from mlops.releases import quarantine
from mlops.releases.environment_history import check_place, held_at, holdings, release_file
from mlops.releases.history import reaches
from mlops.releases.policy import BUILD, Policy, Settings
from mlops.releases.promotion import (
    check_catalogue,
    check_clean,
    check_date,
    check_evidence,
    check_freeze,
    check_order,
    check_origin,
    check_quarantine,
    check_source,
    check_unique,
    sound,
)
from mlops.releases.refusals import NEVER_HERE, NOTHING, Refusal, refused, require_none
from mlops.releases.release import Release, catalogue_ids, catalogue_path

T = TypeVar("T", bound=Strict)

# What all environments of a cluster are built upon.
SHARED = ENVIRONMENTS / "base"


@dataclass(frozen=True)
class Environment:
    """One environment: what people decided about it, and through `release` what it holds."""

    name: str
    settings: Settings
    policy: Policy

    @property
    def folder(self) -> Path:
        """Its folder."""
        return ENVIRONMENTS / self.name

    @property
    def file(self) -> Path:
        """The file that says which release it holds; only a promotion writes it."""
        return release_file(self.name)

    @property
    def release(self) -> Release | None:
        """The release it holds in HEAD, None before the first; Refused when its file is broken."""
        return held_at("HEAD", self.name)

    def differing(self) -> list[str]:
        """Return the files that decide what it runs and differ from HEAD."""
        people = (self.folder / "settings.yaml", self.folder / "policy.yaml")
        paths = (self.file, *people, quarantine.QUARANTINE, SIGNERS)
        return git.changed(*(path.as_posix() for path in paths))


def folders() -> list[str]:
    """Return the names of the folders that are environments: those with a policy.yaml."""
    return sorted(file.parent.name for file in ENVIRONMENTS.glob("*/policy.yaml"))


def names() -> list[str]:
    """Return the names of all environments, each after the one it takes releases from."""
    origins = {name: _read(_policy_file(name), Policy).origin for name in folders()}
    ordered = [BUILD]
    for before in ordered:
        ordered += [n for n, origin in origins.items() if origin == before and n not in ordered]
    lost = sorted(set(origins) - set(ordered[1:]))
    if lost:
        raise UserError(
            f"{_policy_file(lost[0])}: `from: {origins[lost[0]]}` does not lead back to `build`. "
            f"There are {', '.join(ordered)}; `build` itself is no folder."
        )
    return ordered[1:]


def environment(name: str) -> Environment:
    """Read an environment; UserError when there is none of this name or its files are wrong."""
    known = names()
    if name not in known:
        there = ", ".join(known) or "none"
        hint = did_you_mean(name, known)
        raise UserError(f"There is no environment {name!r}. There are {there}.{hint}")
    return read(name)


def read(name: str) -> Environment:
    """Read the files of an environment; raises UserError when one is missing or wrong."""
    file = ENVIRONMENTS / name / "settings.yaml"
    settings = _read(file, Settings)
    if settings.metadata and settings.metadata.name != name:
        raise UserError(
            f"{file}: metadata.name is {settings.metadata.name!r}. It is the folder's name, "
            f"{name!r}; if the folder was copied, see that `port` and `kubernetes` differ too."
        )
    return Environment(name, settings, _read(_policy_file(name), Policy))


def production() -> Environment:
    """Return the last environment, whose release is the champion."""
    known = names()
    if not known:
        raise UserError("environments/ holds no environment: no folder has a policy.yaml.")
    return environment(known[-1])


def _policy_file(name: str) -> Path:
    return ENVIRONMENTS / name / "policy.yaml"


def _read(file: Path, kind: type[T]) -> T:
    try:
        return parse(text_of(file), str(file), kind)
    except FileNotFoundError:
        raise UserError(f"{file} is missing. Put it back: git checkout HEAD -- {file}") from None


def catalogue_entry(release_id: str) -> Release | None:
    """Return what the catalogue of HEAD says of a release; Refused when its file is broken."""
    file = catalogue_path(release_id)
    return sound(git.show("HEAD", file), file)


def built() -> Release:
    """Return the release that `package` left; UserError without one, Refused when it is broken."""
    text = RELEASE.read_text(encoding="utf-8") if RELEASE.exists() else None
    release = sound(text, RELEASE)
    if release is None:
        raise UserError(f"{RELEASE} is missing or holds no release. Run `make package` first.")
    return release


def deployable(environment: Environment, live: str | None = None) -> Release:
    """Return the release to deploy, after every check that holds at deploy; raises Refused.

    `live` is the id of the release that runs there now: bringing it up again is no change,
    so a freeze does not forbid it.
    """
    release = environment.release
    if release is None:
        raise refused("nothing to deploy", [NOTHING.refuse(environment=environment.name)])
    refusals = deploy_refusals(environment, release, live, datetime.now(UTC))
    require_none(f"{environment.name} does not deploy {release.release_id}", refusals)
    return release


def deploy_refusals(
    environment: Environment,
    release: Release,
    live: str | None,
    now: datetime,
    committed: datetime | None = None,
) -> Iterator[Refusal]:
    """Yield every reason against deploying what HEAD holds for an environment.

    `committed` is when it will have been put there; None: when git says it was.
    """
    yield from check_clean(environment.differing())
    yield from check_catalogue(release, catalogue_entry(release.release_id))
    yield from check_unique(release, catalogue_ids())
    yield from check_quarantine(release, quarantine.entries())
    past = holdings(environment.name)
    yield from check_place(environment.name, past)
    before = past[1].release_id if len(past) > 1 else None
    yield from check_order(release, before, environment.name)
    if release.spec.rollback:
        yield from _check_was_here(environment, release)
        return
    yield from _check_taken_from(release, environment.policy.origin)
    yield from _check_road(environment, release, committed or past[0].version.at, now)
    if live != release.release_id:
        yield from check_freeze(environment.policy.freeze, now, environment.name)


def _check_was_here(environment: Environment, release: Release) -> Iterator[Refusal]:
    """Refuse a rollback to a release that did not run in this environment."""
    origin = release.spec.promoted_from
    here = origin and origin.environment == environment.name and reaches(origin.commit)
    held = held_at(origin.commit, environment.name) if here else None
    if held is None or held.release_id != release.release_id:
        found = {held.release_id for held in holdings(environment.name) if held.release_id}
        others = ", ".join(sorted(found - {release.release_id})) or "none"
        yield NEVER_HERE.refuse(
            environment=environment.name, release=release.release_id, held=others
        )


def _check_taken_from(release: Release, allowed: str) -> Iterator[Refusal]:
    """Refuse what did not come from the environment before, or what that did not hold."""
    origin = release.spec.promoted_from
    held: str | None = release.release_id
    if origin and origin.environment == allowed and allowed != BUILD:
        before = held_at(origin.commit, allowed)
        held = before and before.release_id
    yield from check_origin(release, allowed, held)


def _check_road(
    environment: Environment, release: Release, committed: datetime, now: datetime
) -> Iterator[Refusal]:
    """Refuse a promotion whose commits or evidence did not do when it was committed."""
    origin, commit = release.spec.promoted_from, release.promoted.source.commit
    yield from check_source("commit it was built from", commit, reaches(commit))
    if origin and origin.commit != commit:
        what = "commit it was promoted from"
        yield from check_source(what, origin.commit, reaches(origin.commit))
    # A pull request may wait for days: evidence is judged by its merge, not by its opening.
    moved = max(origin.at, committed) if origin else committed
    yield from check_evidence(release, environment.policy.evidence, moved)
    yield from check_date("promotion", moved, now)
