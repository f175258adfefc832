"""Restore an earlier release of an environment and quarantine the one it holds, in one commit.

Without --to it is the newest earlier release that is not in quarantine. It does not deploy:
`python -m mlops rollback deploy --env production --reason "..."` does both. The same command with
the same reason goes back once, however often it runs.
"""

import argparse
from datetime import UTC, datetime

from mlops import git
from mlops.ci import actions
from mlops.config.options import ENV, Option
from mlops.config.params import AnyModel, load_params
from mlops.console import say
from mlops.errors import UserError
from mlops.releases import commits, environments, promotion, quarantine
from mlops.releases.environment_history import Held, check_place, holdings
from mlops.releases.environments import Environment
from mlops.releases.quarantine import QUARANTINE, Entry
from mlops.releases.refusals import BUNDLE, NEVER_HERE, NO_WAY_BACK, Refusal, refused, require_none
from mlops.releases.release import Origin, Release, Rollback, short
from mlops.releases.store import Store
from mlops.signing.check import check_signature

OPTIONS = (
    ENV,
    Option("--to", "the release to go back to: its id, or what `status` shows of it", "ID"),
    Option("--reason", "why; it stays in the release and in quarantine", "TEXT", required=True),
)


def run(options: argparse.Namespace) -> None:
    """Roll back `--env`, or say that it is done already."""
    reason = options.reason.strip()
    if not reason:
        raise UserError("--reason is empty. Say why: whoever meets the quarantine will ask.")
    environment = environments.environment(options.env)
    with commits.alone():
        _roll_back(environment, options.to, reason)


def _roll_back(environment: Environment, to: str | None, reason: str) -> None:
    base, now = git.head(), datetime.now(UTC)
    bad, past = environment.release, holdings(environment.name)
    require_none(f"{environment.name} cannot go back", check_place(environment.name, past))
    if bad and _is_done(bad, to, reason):
        say("rollback", f"{environment.name} holds {bad.release_id} already; nothing to do")
        if not to:
            say("", "to go further back, name a release with --to or give another reason")
        return
    target = _target(environment, past, to)
    release = _restored(environment, target, bad.release_id, reason, now)
    entry = Entry(release_id=bad.release_id, reason=f"{environment.name}: {reason}", at=now)
    barred = quarantine.with_entry(git.show("HEAD", QUARANTINE) or "", entry)
    changes = {environment.file: release.text, QUARANTINE: barred}
    what = f"{environment.name} does not go back to {release.release_id}"
    require_none(what, _refusals(environment, release, changes))
    message = f"Roll back {environment.name} to {release.release_id}\n\n{reason}"
    commit = commits.commit(message, changes, base)
    say("rollback", f"{environment.name} goes back to {release.release_id}; commit {commit[:12]}")
    say("", f"quarantined {bad.release_id}: {reason}")
    actions.summary(f"`{environment.name}` goes back to `{release.release_id}`")


def _is_done(held: Release, to: str | None, reason: str) -> bool:
    """Say whether this very rollback was made before, as when the deployment after it failed."""
    if to:
        return _is_named(held.release_id, to)
    return held.spec.rollback is not None and held.spec.rollback.reason == reason


def _target(environment: Environment, past: list[Held], to: str | None) -> Held:
    """Choose what to go back to; raises Refused when there is nothing."""
    earlier = [held for held in past if held.release and held.release_id != past[0].release_id]
    known = list(dict.fromkeys(held.release_id for held in past if held.release)) or ["none"]
    words = {"environment": environment.name, "held": ", ".join(known)}
    if to:
        found = next((held for held in earlier if _is_named(held.release_id, to)), None)
        reason = NEVER_HERE.refuse(release=to, **words)
    else:
        barred = {entry.release_id for entry in quarantine.entries()}
        found = next((held for held in earlier if held.release_id not in barred), None)
        reason = NO_WAY_BACK.refuse(**words)
    if found is None:
        raise refused(f"{environment.name} cannot go back", [reason])
    return found


def _is_named(release_id: str, name: str) -> bool:
    return name in (release_id, short(release_id))


def _restored(
    environment: Environment, target: Held, bad: str, reason: str, now: datetime
) -> Release:
    origin = Origin(environment=environment.name, commit=target.version.commit, at=now)
    spec = target.release.spec.model_copy(
        update={
            "supersedes": bad,
            "promoted_from": origin,
            "rollback": Rollback(reason=reason),
        }
    )
    return Release(spec=spec)


def _refusals(
    environment: Environment, release: Release, changes: commits.Changes
) -> list[Refusal]:
    return [
        *promotion.check_clean(commits.foreign(environment.differing(), changes)),
        *promotion.check_catalogue(release, environments.catalogue_entry(release.release_id)),
        *promotion.check_quarantine(release, quarantine.entries()),
        *_check_bundle(environment, release),
    ]


def _check_bundle(environment: Environment, release: Release) -> list[Refusal]:
    store, digest = Store(load_params(AnyModel).store), release.promoted.bundle.digest
    if store.has(digest):
        return check_signature(environment, release, store)
    return [BUNDLE.refuse(store=store.name, digest=digest, release=release.release_id)]
