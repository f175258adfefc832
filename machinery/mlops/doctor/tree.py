"""Guards that are files of this repository."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops.config.params import AnyModel, load_params
from mlops.doctor.context import APPLY, Seen
from mlops.doctor.findings import Finding, bad, note, ok
from mlops.github import owners
from mlops.github.settings import CODEOWNERS, FILE, KEYS
from mlops.releases import environments
from mlops.releases.champion import champion
from mlops.releases.store import Store

WORKFLOWS = Path(".github/workflows")
SERVING = "/environments/production/"
EVERYTHING = "*"


def workflows() -> dict[str, dict[Any, Any]]:
    """Return the workflows of this tree by the names of their files."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = sorted(WORKFLOWS.glob("*.yml"))
    return {file.name: yaml.load(file.read_text(encoding="utf-8"), loader) for file in files}


def owners_named(seen: Seen) -> Iterator[Finding]:
    """Somebody has to approve a change, above all one of what serves users."""
    waiting, owned = owners.waiting(), owners.owned()
    guard = "code owners"
    if waiting or not owned:
        # Only GitHub asks them.
        told = bad if seen.github else note
        many = f"{len(waiting)} paths wait for an owner" if waiting else "nobody owns anything"
        yield told(guard, f"{CODEOWNERS}: {many}", f"{APPLY}, or name people there; then commit")
    elif EVERYTHING not in owned:
        # A new GNUmakefile or yaml.py is what the job that signs would run.
        text = f"{CODEOWNERS}: a file that no line names is nobody's"
        yield bad(guard, text, f"begin it with a line `{EVERYTHING} @OWNER`, an owner for the rest")
    else:
        yield ok(guard, f"{len(owned)} paths have one")


def environment_names(seen: Seen) -> Iterator[Finding]:
    """Folders, settings and workflows name the same environments: a typo makes an open one."""
    folders, kept = set(environments.folders()), set(seen.settings.environments) - {KEYS}
    named = {name for workflow in workflows().values() for name in _named(workflow)} - {KEYS}
    wrong = [f"{FILE} lacks {name}" for name in sorted(folders - kept - {KEYS})]
    wrong += [f"{KEYS} keeps the secrets and cannot be deployed to"] if KEYS in folders else []
    wrong += [] if KEYS in seen.settings.environments else [f"{FILE} lacks {KEYS}, for the secrets"]
    wrong += [f"{FILE} names {name}, which has no folder" for name in sorted(kept - folders)]
    wrong += [f"a workflow names {name}, which has no folder" for name in sorted(named - folders)]
    guard = "environment names"
    if wrong:
        yield bad(guard, "; ".join(wrong), f"there are {', '.join(sorted(folders))}")
    else:
        yield ok(guard, ", ".join(environments.names()))


def _named(workflow: dict[Any, Any]) -> Iterator[str]:
    for job in workflow.get("jobs", {}).values():
        said = job.get("environment")
        said = said.get("name") if isinstance(said, dict) else said
        steps = (step.get("env", {}).get("ENV") for step in job.get("steps", ()))
        for name in (said, job.get("with", {}).get("environment"), *steps):
            if name and "${{" not in name:
                yield name


def signatures(_: Seen) -> Iterator[Finding]:
    """Whether what production serves must have been vouched for."""
    signers = environments.production().policy.signed_by
    if signers:
        yield ok("signatures", f"demanded from {', '.join(one.name for one in signers)}")
    else:
        text = "not demanded: who can write to the store is believed"
        yield note(
            "signatures", text, "machinery/docs/signing.md: `signed_by` in production's policy.yaml"
        )


def store(_: Seen) -> Iterator[Finding]:
    """What production serves can be fetched again: without it there is no way back."""
    held, kept = champion(), Store(load_params(AnyModel).store)
    if held is None:
        yield note("store", f"production has no release yet; {kept.name} was not asked")
        return
    release, digest = held.release.release_id, held.release.promoted.bundle.digest
    if kept.has(digest):
        yield ok("store", f"{kept.name} holds the bundle of {release}")
    else:
        text = f"{kept.name} does not hold the bundle of {release}, which production serves"
        yield bad("store", text, "put it back from a backup, or set MLOPS_STORE to where it is")
