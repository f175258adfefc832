"""The evidence that an earlier run uploaded.

Only a run of the environment's own workflow, at a commit of the main branch, counts: whoever may
push a branch can let another workflow upload an artifact of that name with any verdict.
"""

from collections.abc import Iterable
from typing import Any

from mlops.errors import Refused
from mlops.github import runs
from mlops.github.api import GitHub
from mlops.releases.history import reaches

ARTIFACT = "evidence"


def fetch(
    github: GitHub, number: str, environment: str, release_id: str, kinds: Iterable[str]
) -> dict[str, Any]:
    """Return a run's evidence on a release by kind; raises Refused for any other run."""
    run, expected = runs.find(github, number), f".github/workflows/{environment}.yml"
    workflow, home = runs.workflow(run), runs.home(run)
    ours = home.lower() == github.repository.lower()
    if (workflow, run["head_branch"]) != (expected, environment) or not ours:
        raise Refused(
            f"run {number} is of {workflow} on branch {run['head_branch']} of {home}: only a run "
            f"of {expected} on branch {environment} of {github.repository} is evidence."
        )
    if not reaches(run["head_sha"]):
        raise Refused(
            f"run {number} is of commit {run['head_sha'][:12]}, which is not part of the history "
            f"here: nobody reviewed what it ran. Run {expected} for a commit of the main branch."
        )
    names = {kind: f"evidence/{release_id}/{kind}.json" for kind in kinds}
    content = runs.read(github, run["id"], ARTIFACT, names.values())
    return {kind: content[name] for kind, name in names.items()}
