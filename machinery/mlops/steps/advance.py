"""Move the branch named as an environment forward to the commit that `deploy` verified live there.

A push to branch `staging` starts the load test. The branch is moved only forward and only along the
main branch. What GITHUB_TOKEN pushes starts nothing, so with it the workflow is started as well.
"""

import argparse
import os

from mlops import git
from mlops.ci import actions
from mlops.config.options import ENV
from mlops.console import say
from mlops.errors import Refused
from mlops.files import read_json
from mlops.github import remote
from mlops.github.api import GitHub
from mlops.paths import DEPLOYED
from mlops.releases import environments
from mlops.releases.environment_history import held_at
from mlops.releases.environments import SHARED, Environment
from mlops.releases.refusals import FORWARD, refused

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> None:
    """Move the branch, or say that it is there already."""
    environment = environments.environment(options.env)
    branch, commit = environment.name, _verified(environment)
    if not (os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")):
        say("advance", f"branch {branch} would move to {commit[:12]}; GITHUB_TOKEN is not set")
        return
    hub = GitHub.here()
    tip = remote.fetch(branch)
    _require_forward(commit, tip, branch, hub.default_branch())
    if tip and tip != commit and git.descends(tip, commit):
        say("advance", f"branch {branch} is at {tip[:12]} already, which is newer")
        return
    if tip and _runs_the_same(environment, tip, commit):
        commit = tip
    if tip != commit:
        remote.push(commit, branch)
        say("advance", f"branch {branch} is at {commit[:12]} now (before: {(tip or 'none')[:12]})")
        actions.summary(f"Branch `{branch}` is at `{commit[:12]}`")
    _start(hub, branch, commit, pushed=tip != commit)


def _verified(environment: Environment) -> str:
    """Return the commit that `deploy` left word of; Refused when that is of something else."""
    file = DEPLOYED / f"{environment.name}.json"
    seen = read_json(file, made_by=f"deploy ENV={environment.name}")
    held = held_at(seen["commit"], environment.name)
    if held is None or held.release_id != seen["releaseId"]:
        raise Refused(
            f"{file} tells of {seen['releaseId']}, which is not what {seen['commit'][:12]} holds. "
            f"Run `make deploy ENV={environment.name}` first."
        )
    return seen["commit"]


def _require_forward(commit: str, tip: str | None, branch: str, base: str) -> None:
    words = {"environment": branch, "base": base}
    main = remote.fetch(base)
    if main is None or not git.descends(main, commit):
        found = f"{commit[:12]} is not part of {base}."
        raise refused(f"branch {branch} stays", [FORWARD.refuse(found=found, **words)])
    if tip and not git.descends(main, tip):
        found = f"The branch {branch} is at {tip[:12]}, which is not part of {base}."
        raise refused(f"branch {branch} stays", [FORWARD.refuse(found=found, **words)])


def _runs_the_same(environment: Environment, tip: str, commit: str) -> bool:
    """Say whether nothing that decides what runs changed in between: it was tested already."""
    places = (environment.folder.as_posix(), SHARED.as_posix())
    return not git.git("diff", "--name-only", tip, commit, "--", *places)


def _start(hub: GitHub, branch: str, commit: str, pushed: bool) -> None:
    """Start the branch's workflow where the push does not; once, also after a kill in between."""
    workflow = f"{branch}.yml"
    # Only a workflow's own token is mute: what a person or an App pushes starts runs.
    mute = actions.inside() and os.environ.get("PUSH_STARTS_RUNS") != "true"
    if pushed and not mute:
        say("", f"its push starts {workflow}")
    elif not pushed and _ran(hub, workflow, commit):
        say("advance", f"{branch} is at {commit[:12]} and {workflow} ran on it: nothing to do")
    else:
        hub.send("POST", f"actions/workflows/{workflow}/dispatches", {"ref": branch})
        say("", f"{workflow} started on it")


def _ran(hub: GitHub, workflow: str, commit: str) -> bool:
    found = hub.get(f"actions/workflows/{workflow}/runs?head_sha={commit}")
    return found is not None and found["total_count"] > 0
