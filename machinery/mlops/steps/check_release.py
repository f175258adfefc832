"""May this pull request move a release as it does? Every other pull request may not move one.

Looks at what HEAD changes since it left --base. What changes no release.yaml and nothing in the
catalogue passes; a promotion or rollback must change nothing else, and is judged as at its
deployment, with the base as it is now; a signature that the policy demands is looked at where the
store (MLOPS_STORE) holds the bundle. machinery/docs/promotion.md lists every refusal.
"""

import argparse
from typing import Any

from mlops.ci import actions
from mlops.config.options import Option
from mlops.config.params import AnyModel, load_params
from mlops.console import say
from mlops.errors import UserError
from mlops.git import git
from mlops.github import remote
from mlops.releases import environments, merge_checks
from mlops.releases.environments import Environment
from mlops.releases.refusals import Refusal, refused
from mlops.releases.release import Release
from mlops.releases.store import Store
from mlops.signing.check import check_signature

OPTIONS = (Option("--base", "the commit or branch it would be merged into", "COMMIT"),)


def run(options: argparse.Namespace) -> None:
    """Judge the files changed, and the release where one is moved."""
    base = _base(options.base)
    changed = merge_checks.changes(base)
    moves = merge_checks.moved(changed)
    release = _released(moves)
    found = list(merge_checks.check_scope(changed, moves, release))
    if release and not found:
        environment = environments.environment(moves[0])
        found = merge_checks.merge_refusals(environment, release, base)
        found += _vouched(environment, release)
    if found:
        error = refused("this cannot be merged", found)
        actions.summary(f"### Refused\n\n```\n{error}\n```")
        raise error
    if release:
        words = "goes back to" if release.spec.rollback else "may take"
        say("release", f"{moves[0]} {words} {release.release_id}: nothing speaks against it")
    else:
        say("release", f"{len(changed)} files changed, none that decides a release")


def _vouched(environment: Environment, release: Release) -> list[Refusal]:
    """Return what is wrong with the signature demanded; without a store in reach, say so."""
    if not environment.policy.signed_by:
        return []
    store, why = Store(load_params(AnyModel).store), ""
    try:
        there = store.has(release.promoted.bundle.digest)
    except UserError as error:
        there, why = False, f": {error}"
    if there:
        return check_signature(environment, release, store)
    say("release", f"the store {store.name} has not its bundle here, so not its signature{why}")
    say("", f"`deploy` does not take it to {environment.name} unsigned")
    return []


def _released(moves: list[str]) -> Release | None:
    if len(moves) != 1:
        return None
    # A release.yaml taken away, or emptied by hand, moves to nothing.
    return environments.environment(moves[0]).release


def _of_event(event: dict[str, Any]) -> str:
    if "pull_request" in event:
        # HEAD is the merge that GitHub tries; its first parent is the base as it is now.
        return "HEAD^1"
    return event.get("merge_group", {}).get("base_sha") or "origin/main"


def _base(given: str | None) -> str:
    """Return the commit to be merged into; UserError where it is not known here."""
    name = given or _of_event(actions.payload())
    commit = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False)
    if not commit:
        hint = "git fetch origin" if remote.exists() else "name it with --base"
        raise UserError(f"There is no commit {name!r} here to compare with: {hint}.")
    return commit
