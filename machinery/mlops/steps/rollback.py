"""Restore an earlier release of an environment and quarantine the one it holds, in one commit.

Without --to it restores the newest earlier release that is not in quarantine. It does not deploy:
`python -m mlops rollback deploy --env production --reason "..."` does both. Repeating the command
with the same reason goes back only once.
"""

import argparse
from dataclasses import replace
from datetime import UTC, datetime

from mlops import git
from mlops.ci import actions
from mlops.config.options import ENV, Option
from mlops.config.params import AnyModel, load_params
from mlops.console import say
from mlops.errors import UserError
from mlops.releases import commits, environments, gather, quarantine
from mlops.releases.environment_history import release_history
from mlops.releases.environments import Environment
from mlops.releases.history import HistoryEntry
from mlops.releases.quarantine import QUARANTINE, Entry
from mlops.releases.release import Origin, Release, Rollback
from mlops.releases.rules import order, table
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.rule import require_none
from mlops.releases.store import Store
from mlops.signing.check import check_signature

OPTIONS = (
    ENV,
    Option("--to", "the release to go back to: its id, or the short form in `status`", "ID"),
    Option("--reason", "why; it stays in the release and in quarantine", "TEXT", required=True),
)


def run(options: argparse.Namespace) -> None:
    """Roll back `--env`, or report that it is done already."""
    reason = options.reason.strip()
    if not reason:
        raise UserError("--reason is empty. Give one: the quarantine shows it to others.")
    environment = environments.environment(options.env)
    with commits.lock():
        _roll_back(environment, options.to, reason)


def _roll_back(environment: Environment, to: str | None, reason: str) -> None:
    base, now = git.head(), datetime.now(UTC)
    bad, history = environment.release, release_history(environment.name)
    refusals = order.refuse_hand_edit(environment.name, git.show("HEAD", environment.file), history)
    require_none(f"{environment.name} cannot go back", refusals)
    if bad and _is_done(bad, to, reason):
        say("rollback", f"{environment.name} holds {bad.release_id} already; nothing to do")
        if not to:
            say("", "to go further back, name a release with --to or give another reason")
        return
    earlier = order.choose_earlier(environment.name, history, _quarantined(), to)
    release = _restore(environment, earlier, bad.release_id, reason, now)
    changes = _changes(environment, release, bad, reason, now)
    what = f"{environment.name} does not go back to {release.release_id}"
    table.require(what, table.ROLLBACK, _facts(environment, release, changes, now))
    message = f"Roll back {environment.name} to {release.release_id}\n\n{reason}"
    commit = commits.commit(message, changes, base)
    say("rollback", f"{environment.name} goes back to {release.release_id}; commit {commit[:12]}")
    say("", f"quarantined {bad.release_id}: {reason}")
    actions.summary(f"`{environment.name}` goes back to `{release.release_id}`")


def _changes(
    environment: Environment, release: Release, bad: Release, reason: str, now: datetime
) -> commits.Changes:
    """Return the files to write: the release, and the quarantine with the bad one."""
    entry = Entry(
        release_id=bad.release_id,
        reason=f"{environment.name}: {reason}",
        at=now,
        model_digest=bad.promoted.model.digest,
    )
    entries = quarantine.with_entry(git.show("HEAD", QUARANTINE) or "", entry)
    return {environment.file: release.text, QUARANTINE: entries}


def _quarantined() -> set[str]:
    return {entry.release_id for entry in quarantine.entries()}


def _is_done(current: Release, to: str | None, reason: str) -> bool:
    """Return whether this rollback was made before, for example if the deployment then failed."""
    if to:
        return order.is_named(current.release_id, to)
    return current.spec.rollback is not None and current.spec.rollback.reason == reason


def _restore(
    environment: Environment, target: HistoryEntry, bad: str, reason: str, now: datetime
) -> Release:
    """Return an earlier release with the mark of a rollback."""
    origin = Origin(environment=environment.name, commit=target.version.commit, at=now)
    spec = target.release.spec.model_copy(
        update={
            "supersedes": bad,
            "promoted_from": origin,
            "rollback": Rollback(reason=reason),
        }
    )
    return Release(spec=spec)


def _facts(
    environment: Environment, release: Release, changes: commits.Changes, now: datetime
) -> Facts:
    """Return the facts that decide about a rollback; a killed run of it is no obstacle."""
    facts, store = gather.for_move(environment, release, now), Store(load_params(AnyModel).store)
    is_stored = store.has(release.promoted.bundle.digest)
    signature = check_signature(environment, release, store) if is_stored else ()
    return replace(
        facts,
        uncommitted=commits.without_ours(list(facts.uncommitted), changes),
        store_name=store.name,
        is_bundle_stored=is_stored,
        signature=tuple(signature),
    )
