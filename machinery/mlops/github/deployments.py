"""The commit that each environment runs, read from GitHub's deployments.

Each environment is read by itself: a run that deployed one environment is still in progress while
another one waits for its approval.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops.github.api import GitHub

# Look at this many deployments. If all of them failed, the environment is deployed anyway.
MOST = 30
_RUN = re.compile(r"/actions/runs/(\d+)")


@dataclass(frozen=True)
class DeploymentProgress:
    """The commit last deployed, "" for none; `running` while its run is in progress."""

    commit: str
    running: bool = False


def deployment_progress(hub: GitHub, name: str, branch: str) -> DeploymentProgress | None:
    """Return the progress of a branch in an environment, None if it never deployed there."""
    listed = hub.get(f"deployments?environment={quote(name, safe='')}&per_page={MOST}") or []
    ours = [one for one in listed if one["ref"].removeprefix("refs/heads/") == branch]
    for one in ours:
        jobs = [job for job in _jobs(hub, one) if job["name"].startswith(f"{name} / ")]
        if any(job["status"] != "completed" for job in jobs):
            return DeploymentProgress(one["sha"], running=True)
        # Jobs after the deployment, such as the proposal for the next environment, count too.
        if jobs and all(job["conclusion"] in ("success", "skipped") for job in jobs):
            return DeploymentProgress(one["sha"])
    return DeploymentProgress("") if ours else None


def _jobs(hub: GitHub, deployment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the jobs of the run behind a deployment, none if it is the run in progress here."""
    statuses = hub.get_all(f"deployments/{deployment['id']}/statuses")
    addresses = [status.get("log_url") or status["target_url"] for status in statuses]
    matches = (_RUN.search(address or "") for address in addresses)
    run = next((match[1] for match in matches if match), None)
    if run and run != os.environ.get("GITHUB_RUN_ID"):
        yield from hub.get_all(f"actions/runs/{run}/jobs")
