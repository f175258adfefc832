"""Let an environment take the release of the one before it: one file, one commit.

The first environment takes build/release.yaml, which `package` wrote, and enters it in the
catalogue, environments/releases/. machinery/docs/promotion.md lists every reason for a refusal.
"""

import argparse
from dataclasses import dataclass, replace
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
from mlops.releases import commits, environments, evidence, gather
from mlops.releases.environment_history import release_at
from mlops.releases.environments import Environment
from mlops.releases.policy import BUILD
from mlops.releases.release import (
    Origin,
    Release,
    Spec,
    catalogue_ids,
    catalogue_path,
    new_release,
    sequence,
)
from mlops.releases.rules import table
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.order import require_release
from mlops.releases.store import Store
from mlops.signing.check import check_signature

OPTIONS = (
    ENV,
    Option("--run", "a run that left the evidence: its id, the last number in its address", "ID"),
)


@dataclass(frozen=True)
class Promotion:
    """A release as its origin holds it, as the environment will hold it, and the files to write."""

    source: Release
    release: Release
    changes: commits.Changes


def run(options: argparse.Namespace) -> None:
    """Promote into `--env`, or report that it holds the release already."""
    environment = environments.environment(options.env)
    with commits.lock():
        if options.run:
            _fetch_evidence(environment, options.run)
        _promote(environment)


def _fetch_evidence(environment: Environment, number: str) -> None:
    """Download the evidence of a run about the release that the origin holds."""
    origin = environment.policy.origin
    release_id = _source(origin).release_id
    kinds = [demand.kind for demand in environment.policy.evidence if demand.environment == origin]
    verdicts = load_test_runs.fetch(GitHub.here(), number, origin, release_id, kinds)
    for kind, content in verdicts.items():
        write_json(EVIDENCE / release_id / f"{kind}.json", content)
    say("promote", f"run {number} left: {', '.join(verdicts) or 'nothing that is demanded'}")


def _promote(environment: Environment) -> None:
    base, now = git.head(), datetime.now(UTC)
    current = environment.release
    promotion = _prepare(environment, current and current.release_id, base, now)
    release, facts = promotion.release, _facts(environment, promotion, now)
    what = f"{environment.name} does not take {release.release_id}"
    table.require(what, table.PROMOTE, facts)
    if current and release.release_id == current.release_id:
        say("promote", f"{environment.name} holds {release.release_id} already; nothing to do")
        return
    table.require(what, table.MOVE, facts)
    message = f"Promote {release.release_id} to {environment.name}"
    _report(environment, release, commits.commit(message, promotion.changes, base))


def _prepare(
    environment: Environment, current_id: str | None, base: str, now: datetime
) -> Promotion:
    """Compute the release for the environment, and the files to write."""
    source = _source(environment.policy.origin)
    first = environment.policy.origin == BUILD
    commit = source.promoted.source.commit if first else base
    collected = evidence.collected(source.release_id)
    fresh = [proof for proof in collected if proof not in source.spec.evidence]
    release = Release(
        spec=Spec(
            release_id=source.release_id,
            supersedes=current_id,
            promoted_from=Origin(environment=environment.policy.origin, commit=commit, at=now),
            promoted=source.promoted,
            evidence=(*source.spec.evidence, *fresh),
        )
    )
    changes = {environment.file: release.text}
    if first and environments.catalogue_entry(source.release_id) is None:
        changes[catalogue_path(source.release_id)] = source.text
    return Promotion(source, release, changes)


def _source(origin: str) -> Release:
    if origin == BUILD:
        return _with_free_number(environments.built())
    return require_release(release_at("HEAD", origin), origin, "nothing to promote")


def _with_free_number(release: Release) -> Release:
    """Return the built release, with the next number if an older build took its own meanwhile."""
    mine = release.release_id
    taken = [i for i in catalogue_ids() if i != mine and sequence(i) == sequence(mine)]
    other = environments.catalogue_entry(taken[0]) if taken else None
    built = release.promoted.source.commit
    if other is None or git.descends(other.promoted.source.commit, built):
        return release
    fresh = new_release(release.promoted, release.spec.evidence)
    say("promote", f"{mine} becomes {fresh.release_id}: {other.release_id} took its number")
    return fresh


def _facts(environment: Environment, promotion: Promotion, now: datetime) -> Facts:
    """Return the facts that decide about a promotion; a killed run of it is no obstacle."""
    release, changes = promotion.release, promotion.changes
    path = catalogue_path(release.release_id)
    facts = gather.for_move(environment, release, now)
    uncommitted = [*facts.uncommitted, *git.changed(path.as_posix())]
    return replace(
        facts,
        uncommitted=commits.without_ours(uncommitted, changes),
        catalogue_entry=promotion.source if path in changes else facts.catalogue_entry,
        signature=tuple(check_signature(environment, release, Store(load_params(AnyModel).store))),
    )


def _report(environment: Environment, release: Release, commit: str) -> None:
    before = release.spec.supersedes or "none"
    proofs = [f"{proof.kind} {proof.verdict}" for proof in release.spec.evidence]
    say("promote", f"{environment.name} takes {release.release_id} (before: {before})")
    say("", f"evidence: {', '.join(proofs) or 'none demanded'}; commit {commit[:12]}")
    actions.summary(f"`{environment.name}` takes `{release.release_id}` (before: `{before}`)")
