"""May this pull request be merged? Only a promotion or rollback may move a release.

Judges the changes of HEAD since it left --base. A pull request that changes no release.yaml and no
catalogue entry passes, unless it lifts a quarantine and changes more than that. A promotion or
rollback must change nothing else; it is judged as `deploy` would, against the base as it is now. A
signature demanded by the policy is checked if the store (MLOPS_STORE) holds the bundle.
machinery/docs/promotion.md lists every refusal.
"""

import argparse
from dataclasses import replace
from typing import Any

from mlops import git
from mlops.ci import actions
from mlops.config.options import Option
from mlops.config.params import AnyModel, load_params
from mlops.console import say
from mlops.errors import UserError
from mlops.github import remote
from mlops.releases import environments, gather
from mlops.releases.environments import Environment
from mlops.releases.release import Release
from mlops.releases.rules import table
from mlops.releases.rules.rule import Refusal, refused
from mlops.releases.rules.scope import check_lifted, check_scope
from mlops.releases.store import Store
from mlops.signing.check import check_signature

OPTIONS = (Option("--base", "the commit or branch to merge into", "COMMIT"),)


def run(options: argparse.Namespace) -> None:
    """Judge the changed files, and the release if one is moved."""
    base = _base(options.base)
    changed = gather.changed_files(base)
    moved = gather.moved_environments(changed)
    environment = environments.environment(moved[0]) if len(moved) == 1 else None
    # None also for a release.yaml that was deleted or emptied by hand.
    release = environment and environment.release
    refusals = list(check_scope(changed, moved, release))
    if not moved:
        refusals += check_lifted(changed, gather.lifted_quarantines(base, changed))
    if environment and release and not refusals:
        refusals = _merge_refusals(environment, release, base)
    if refusals:
        error = refused("this cannot be merged", refusals)
        actions.summary(f"### Refused\n\n```\n{error}\n```")
        raise error
    if release:
        verb = "goes back to" if release.spec.rollback else "may take"
        say("release", f"{moved[0]} {verb} {release.release_id}: no rule refuses it")
    else:
        say("release", f"{len(changed)} files changed, none that decides a release")


def _merge_refusals(environment: Environment, release: Release, base: str) -> list[Refusal]:
    facts = gather.for_merge(environment, release, base)
    facts = replace(facts, signature=tuple(_signature(environment, release)))
    return table.refusals(table.MERGE, facts)


def _signature(environment: Environment, release: Release) -> list[Refusal]:
    """Return the refusals of the signature; none, with a note, if the store has no bundle."""
    if not environment.policy.signed_by:
        return []
    store, why = Store(load_params(AnyModel).store), ""
    try:
        is_stored = store.has(release.promoted.bundle.digest)
    except UserError as error:
        is_stored, why = False, f": {error}"
    if is_stored:
        return check_signature(environment, release, store)
    say("release", f"the store {store.name} has no bundle of it, so no signature is checked{why}")
    say("", f"`deploy` does not take it to {environment.name} unsigned")
    return []


def _base_of(event: dict[str, Any]) -> str:
    if "pull_request" in event:
        # HEAD is GitHub's test merge; its first parent is the base as it is now.
        return "HEAD^1"
    return event.get("merge_group", {}).get("base_sha") or "origin/main"


def _base(option: str | None) -> str:
    """Return the commit to merge into; UserError if this clone has none of that name."""
    name = option or _base_of(actions.payload())
    commit = git.commit_of(name)
    if not commit:
        hint = "git fetch origin" if remote.exists() else "name it with --base"
        raise UserError(f"There is no commit {name!r} here to compare with: {hint}.")
    return commit
