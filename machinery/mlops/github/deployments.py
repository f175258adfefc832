"""How far each environment has been brought, by the runs that deployed it.

Told by environment: the run that deployed one is not over while another one waits for its approval.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops.github.api import GitHub

# Those before were of runs that failed one after the other: then it is deployed in any case.
MOST = 30
_RUN = re.compile(r"/actions/runs/(\d+)")


@dataclass(frozen=True)
class Brought:
    """The commit an environment was brought to, "" for none; `running` while a run is at it."""

    commit: str
    running: bool = False


def brought(hub: GitHub, name: str, branch: str) -> Brought | None:
    """Return how far runs on a branch brought an environment, None where none ever deployed it."""
    listed = hub.get(f"deployments?environment={quote(name, safe='')}&per_page={MOST}") or []
    ours = [one for one in listed if one["ref"].removeprefix("refs/heads/") == branch]
    for one in ours:
        jobs = [job for job in _jobs(hub, one) if job["name"].startswith(f"{name} / ")]
        if any(job["status"] != "completed" for job in jobs):
            return Brought(one["sha"], running=True)
        # What follows a deployment, such as the proposal to the next environment, is part of it.
        if jobs and all(job["conclusion"] in ("success", "skipped") for job in jobs):
            return Brought(one["sha"])
    return Brought("") if ours else None


def _jobs(hub: GitHub, deployment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the jobs of the run that made a deployment; none of this run, which has yet to."""
    statuses = hub.get_all(f"deployments/{deployment['id']}/statuses")
    places = [status.get("log_url") or status["target_url"] for status in statuses]
    run = next((found[1] for place in places if (found := _RUN.search(place or ""))), None)
    if run and run != os.environ.get("GITHUB_RUN_ID"):
        yield from hub.get_all(f"actions/runs/{run}/jobs")
