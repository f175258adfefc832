"""Checks of files in this repository."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops.config.params import AnyModel, load_params
from mlops.doctor.context import APPLY, Context
from mlops.doctor.findings import GuardResult, bad, note, ok
from mlops.github import owners
from mlops.github.settings import CODEOWNERS, FILE, KEYS
from mlops.releases import environments
from mlops.releases.champion import champion
from mlops.releases.store import Store

WORKFLOWS = Path(".github/workflows")
EVERYTHING = "*"


def workflows() -> dict[str, dict[Any, Any]]:
    """Return the workflows of this tree by the names of their files."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = sorted(WORKFLOWS.glob("*.yml"))
    return {file.name: yaml.load(file.read_text(encoding="utf-8"), loader) for file in files}


def owners_named(context: Context) -> Iterator[GuardResult]:
    """Check that every path has an owner who must approve its changes."""
    waiting, owned = owners.waiting(), owners.owned()
    guard = "code owners"
    if waiting or not owned:
        # Without GitHub nobody asks the owners.
        result = bad if context.github else note
        many = f"{len(waiting)} paths wait for an owner" if waiting else "nobody owns anything"
        yield result(guard, f"{CODEOWNERS}: {many}", f"{APPLY}, or name people there; then commit")
    elif EVERYTHING not in owned:
        # The job that signs would run a new GNUmakefile or yaml.py.
        text = f"{CODEOWNERS}: a file that no line names has no owner"
        yield bad(guard, text, f"begin it with a line `{EVERYTHING} @OWNER`, an owner for the rest")
    else:
        yield ok(guard, f"{len(owned)} paths have one")


def environment_names(context: Context) -> Iterator[GuardResult]:
    """Check that folders, settings and workflows name the same environments."""
    folders, listed = set(environments.folders()), set(context.settings.environments) - {KEYS}
    named = {name for workflow in workflows().values() for name in _named(workflow)} - {KEYS}
    wrong = [f"{FILE} lacks {name}" for name in sorted(folders - listed - {KEYS})]
    wrong += [f"{KEYS} keeps the secrets and cannot be deployed to"] if KEYS in folders else []
    wrong += (
        [] if KEYS in context.settings.environments else [f"{FILE} lacks {KEYS}, for the secrets"]
    )
    wrong += [f"{FILE} names {name}, which has no folder" for name in sorted(listed - folders)]
    wrong += [f"a workflow names {name}, which has no folder" for name in sorted(named - folders)]
    guard = "environment names"
    if wrong:
        yield bad(guard, "; ".join(wrong), f"there are {', '.join(sorted(folders))}")
    else:
        yield ok(guard, ", ".join(environments.names()))


def _named(workflow: dict[Any, Any]) -> Iterator[str]:
    for job in workflow.get("jobs", {}).values():
        environment = job.get("environment")
        if isinstance(environment, dict):
            environment = environment.get("name")
        steps = (step.get("env", {}).get("ENV") for step in job.get("steps", ()))
        for name in (environment, job.get("with", {}).get("environment"), *steps):
            if name and "${{" not in name:
                yield name


def signatures(_: Context) -> Iterator[GuardResult]:
    """Report whether production requires a signature of its release."""
    signers = environments.production().policy.signed_by
    if signers:
        yield ok("signatures", f"demanded from {', '.join(one.name for one in signers)}")
    else:
        text = "not demanded: whoever can write to the store is trusted"
        yield note(
            "signatures", text, "machinery/docs/signing.md: `signed_by` in production's policy.yaml"
        )


def store(_: Context) -> Iterator[GuardResult]:
    """Check that the store holds the bundle of production's release, which a rollback needs."""
    current, bundles = champion(), Store(load_params(AnyModel).store)
    if current is None:
        yield note("store", f"production has no release yet; {bundles.name} was not checked")
        return
    release, digest = current.release.release_id, current.release.promoted.bundle.digest
    if bundles.has(digest):
        yield ok("store", f"{bundles.name} holds the bundle of {release}")
    else:
        text = f"{bundles.name} does not hold the bundle of {release}, which production serves"
        yield bad("store", text, "put it back from a backup, or set MLOPS_STORE to where it is")
