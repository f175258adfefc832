"""Move an environment's branch forward to the commit that `deploy` verified there.

A push to branch `staging` starts the load test. The branch moves only forward along the main
branch. A push with GITHUB_TOKEN starts no workflow, so then this step starts it.
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
from mlops.releases.environment_history import release_at
from mlops.releases.environments import SHARED, Environment
from mlops.releases.rules.rule import require_none
from mlops.releases.rules.scope import check_forward

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> None:
    """Move the branch, or report that it is there already."""
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
    """Return the commit `deploy` recorded; Refused if that commit holds another release."""
    file = DEPLOYED / f"{environment.name}.json"
    deployed = read_json(file, made_by=f"deploy ENV={environment.name}")
    commit, release_id = deployed["commit"], deployed["releaseId"]
    release = release_at(commit, environment.name)
    if release is None or release.release_id != release_id:
        raise Refused(
            f"{file} names {release_id}, but commit {commit[:12]} holds another release. "
            f"Run `make deploy ENV={environment.name}` first."
        )
    return commit


def _require_forward(commit: str, tip: str | None, branch: str, base: str) -> None:
    main = remote.fetch(base)
    commits = [one for one in (commit, tip) if one]
    off_base = [one for one in commits if main is None or not git.descends(main, one)]
    require_none(f"branch {branch} stays", check_forward(branch, base, commit, tip, off_base))


def _runs_the_same(environment: Environment, tip: str, commit: str) -> bool:
    """Return whether two commits deploy the same, so that the load test of one is enough."""
    folders = (environment.folder.as_posix(), SHARED.as_posix())
    return not git.git("diff", "--name-only", tip, commit, "--", *folders)


def _start(hub: GitHub, branch: str, commit: str, pushed: bool) -> None:
    """Start the branch's workflow once, unless the push did; also after a kill in between."""
    workflow = f"{branch}.yml"
    # A push with a workflow's own token starts no run; one by a person or an App does.
    push_starts = not actions.inside() or os.environ.get("PUSH_STARTS_RUNS") == "true"
    if pushed and push_starts:
        say("", f"its push starts {workflow}")
    elif not pushed and _ran(hub, workflow, commit):
        say("advance", f"{branch} is at {commit[:12]} and {workflow} ran on it: nothing to do")
    else:
        hub.send("POST", f"actions/workflows/{workflow}/dispatches", {"ref": branch})
        say("", f"{workflow} started on it")


def _ran(hub: GitHub, workflow: str, commit: str) -> bool:
    runs = hub.get(f"actions/workflows/{workflow}/runs?head_sha={commit}")
    return runs is not None and runs["total_count"] > 0
