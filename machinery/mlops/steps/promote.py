"""Let an environment take the release of the one before it: one file, one commit.

The first environment takes build/release.yaml, which `package` wrote, and enters it in the
catalogue, environments/releases/. machinery/docs/promotion.md lists every reason for a refusal.
"""

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime

from mlops import git
from mlops.ci import actions
from mlops.config.options import ENV, Option
from mlops.config.params import AnyModel, load_params
from mlops.console import say
from mlops.files import write_json
from mlops.github import load_test_runs
from mlops.github.api import GitHub
from mlops.paths import EVIDENCE
from mlops.releases import commits, environments, evidence, promotion, quarantine
from mlops.releases.environment_history import check_place, held_at, holdings
from mlops.releases.environments import Environment
from mlops.releases.history import reaches
from mlops.releases.policy import BUILD
from mlops.releases.refusals import NOTHING, Refusal, refused, require_none
from mlops.releases.release import (
    Origin,
    Release,
    Spec,
    catalogue_ids,
    catalogue_path,
    new_release,
    sequence,
)
from mlops.releases.store import Store
from mlops.signing.check import check_signature

OPTIONS = (
    ENV,
    Option("--run", "a run that left the evidence: its id, the last number in its address", "ID"),
)


@dataclass(frozen=True)
class Promotion:
    """A release on its way: as it was taken, and as the environment will hold it."""

    taken: Release
    release: Release
    changes: commits.Changes


def run(options: argparse.Namespace) -> None:
    """Promote into `--env`, or say that it holds the release already."""
    environment = environments.environment(options.env)
    with commits.alone():
        if options.run:
            _fetch(environment, options.run)
        _promote(environment)


def _fetch(environment: Environment, number: str) -> None:
    """Have the evidence that a run left about what the environment before holds."""
    origin = environment.policy.origin
    release_id = _taken(origin).release_id
    kinds = [one.kind for one in environment.policy.evidence if one.environment == origin]
    found = load_test_runs.fetch(GitHub.here(), number, origin, release_id, kinds)
    for kind, content in found.items():
        write_json(EVIDENCE / release_id / f"{kind}.json", content)
    say("promote", f"run {number} left: {', '.join(found) or 'nothing that is demanded'}")


def _promote(environment: Environment) -> None:
    base, now = git.head(), datetime.now(UTC)
    held = environment.release
    held_id = held and held.release_id
    prepared = _prepared(environment, held_id, base, now)
    release_id = prepared.release.release_id
    what = f"{environment.name} does not take {release_id}"
    require_none(what, _about_release(environment, prepared))
    if release_id == held_id:
        say("promote", f"{environment.name} holds {release_id} already; nothing to do")
        return
    require_none(what, _about_move(environment, prepared.release, held_id, now))
    commit = commits.commit(f"Promote {release_id} to {environment.name}", prepared.changes, base)
    _tell(environment, prepared.release, commit)


def _prepared(environment: Environment, held: str | None, base: str, now: datetime) -> Promotion:
    """Compute what the environment will hold, and the files that say so."""
    taken = _taken(environment.policy.origin)
    first = environment.policy.origin == BUILD
    commit = taken.promoted.source.commit if first else base
    found = evidence.collected(taken.release_id)
    fresh = [proof for proof in found if proof not in taken.spec.evidence]
    release = Release(
        spec=Spec(
            release_id=taken.release_id,
            supersedes=held,
            promoted_from=Origin(environment=environment.policy.origin, commit=commit, at=now),
            promoted=taken.promoted,
            evidence=(*taken.spec.evidence, *fresh),
        )
    )
    changes = {environment.file: release.text}
    if first and environments.catalogue_entry(taken.release_id) is None:
        changes[catalogue_path(taken.release_id)] = taken.text
    return Promotion(taken, release, changes)


def _taken(origin: str) -> Release:
    if origin != BUILD:
        release = held_at("HEAD", origin)
        if release is None:
            raise refused("nothing to promote", [NOTHING.refuse(environment=origin)])
        return release
    return _numbered(environments.built())


def _numbered(release: Release) -> Release:
    """Return what was built under the next number where an older build took its own meanwhile."""
    mine = release.release_id
    taken = [i for i in catalogue_ids() if i != mine and sequence(i) == sequence(mine)]
    other = environments.catalogue_entry(taken[0]) if taken else None
    built = release.promoted.source.commit
    if other is None or git.descends(other.promoted.source.commit, built):
        return release
    fresh = new_release(release.promoted, release.spec.evidence)
    say("promote", f"{mine} becomes {fresh.release_id}: {other.release_id} took its number")
    return fresh


def _about_release(environment: Environment, prepared: Promotion) -> list[Refusal]:
    """Return what speaks against this release anywhere."""
    release, path = prepared.release, catalogue_path(prepared.release.release_id)
    entry = environments.catalogue_entry(release.release_id)
    if path in prepared.changes:
        entry = prepared.taken
    differing = [*environment.differing(), *git.changed(path.as_posix())]
    return [
        *check_place(environment.name, holdings(environment.name)),
        *promotion.check_clean(commits.foreign(differing, prepared.changes)),
        *promotion.check_catalogue(release, entry),
        *promotion.check_unique(release, catalogue_ids()),
        *promotion.check_quarantine(release, quarantine.entries()),
        *check_signature(environment, release, Store(load_params(AnyModel).store)),
    ]


def _about_move(
    environment: Environment, release: Release, held: str | None, now: datetime
) -> list[Refusal]:
    """Return what speaks against its taking this step now."""
    commit = release.promoted.source.commit
    return [
        *promotion.check_order(release, held, environment.name),
        *promotion.check_source("commit it was built from", commit, reaches(commit)),
        *promotion.check_evidence(release, environment.policy.evidence, now),
        *promotion.check_freeze(environment.policy.freeze, now, environment.name),
    ]


def _tell(environment: Environment, release: Release, commit: str) -> None:
    before = release.spec.supersedes or "none"
    proofs = [f"{e.kind} {e.verdict}" for e in release.spec.evidence]
    say("promote", f"{environment.name} takes {release.release_id} (before: {before})")
    say("", f"evidence: {', '.join(proofs) or 'none demanded'}; commit {commit[:12]}")
    actions.summary(f"`{environment.name}` takes `{release.release_id}` (before: `{before}`)")
