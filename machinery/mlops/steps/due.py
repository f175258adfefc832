"""List the environments to deploy now, and the step that follows each deployment.

An environment is due if its release or settings changed since a run on the branch deployed it, or
is about to: so a lost or failed run is made up for. Unless a push started this, an environment that
serves another release is due too. With --env only that one is. `advance` follows if the next
environment demands evidence collected here, else a promotion; nothing follows a rollback.
"""

import argparse
import json
import os
from pathlib import Path

from mlops import git
from mlops.ci import actions, last_success
from mlops.config.options import Option
from mlops.console import say
from mlops.errors import UserError
from mlops.github.api import GitHub
from mlops.github.deployments import DeploymentProgress, deployment_progress
from mlops.releases import environments
from mlops.releases.environments import SHARED, Environment

OPTIONS = (Option("--env", "this environment, even if it is up to date", "NAME"),)
# Their services end with the job, because the runner ends every process of a job.
ON_RUNNER = ("local", "docker")


def run(options: argparse.Namespace) -> None:
    """Print them, and write a list of them and their next steps for the jobs that follow."""
    actions.require_default_branch()
    ordered = [environments.environment(name) for name in environments.names()]
    due = [environments.environment(options.env)] if options.env else _due(ordered)
    for one in due:
        say("due", f"{one.name}: {one.release.release_id if one.release else 'holds none yet'}")
    if not due:
        say("due", "nothing is to be deployed")
    actions.output("due", json.dumps([_steps(one, ordered) for one in due if one.release]))


def _due(ordered: list[Environment]) -> list[Environment]:
    ref = os.environ.get("GITHUB_REF")
    last = _last_success(ref) if ref else ""
    return [one for one in ordered if one.release and _is_due(one, ref, last)]


def _last_success(ref: str) -> str:
    """Return the commit of the last successful run, "" if there is none or GitHub does not answer.

    The push before this one is no base: its run may be lost or have failed.
    """
    try:
        # A run started by hand may have deployed one environment only.
        return last_success.last_success(ref, "workflow_dispatch")
    except UserError as error:
        say("due", str(error))
        return ""


def _is_due(environment: Environment, ref: str | None, last: str) -> bool:
    name = environment.name
    # On a laptop there are no runs, so nothing counts as changed.
    progress = _progress(name, ref.removeprefix("refs/heads/"), last) if ref else None
    if progress and _is_touched(environment, _changed(progress.commit, name)):
        return True
    if progress and progress.running:
        say("due", f"{name}: a run deploys it, or waits for an approval")
        return False
    # After a push an unchanged environment may still be in deployment; a schedule checks it.
    return "before" not in actions.payload() and _differs(environment)


def _progress(name: str, branch: str, last: str) -> DeploymentProgress:
    """Return how far an environment was deployed; without any deployment, by the last good run."""
    try:
        return deployment_progress(GitHub.here(), name, branch) or DeploymentProgress(last)
    except UserError as error:
        say("due", f"{name} is: {error}")
        return DeploymentProgress("")


def _changed(base: str, name: str) -> list[Path] | None:
    """Return the files that changed since a commit; None if the commit is unknown."""
    if not base or git.commit_of(base) is None:
        say("due", f"{name} is: {f'{base} is gone' if base else 'no run has succeeded yet'}")
        return None
    # With renames git lists only the new name of a moved file.
    names = git.git("diff", "--name-only", "--no-renames", "-z", base, "HEAD")
    return [Path(name) for name in names.split("\0") if name]


def _is_touched(environment: Environment, changed: list[Path] | None) -> bool:
    if changed is None:
        return True
    # A policy decides what may come here, not what runs.
    policy = environment.folder / "policy.yaml"
    folders = (environment.folder, SHARED)
    return any(folder in path.parents for path in changed if path != policy for folder in folders)


def _differs(environment: Environment) -> bool:
    """Return whether an environment whose services outlive the job serves another release."""
    from mlops.targets import target_of

    if os.environ.get("RUNNER_ENVIRONMENT") and environment.settings.target in ON_RUNNER:
        say(
            "due",
            f"{environment.name}: its target is the runner, so its service ended with the job",
        )
        return False
    live = target_of(environment).live(environment)
    return live is None or live.release_id != environment.release.release_id


def _steps(environment: Environment, ordered: list[Environment]) -> dict[str, str | bool]:
    """Return an environment with the step after its deployment: promote, advance or none."""
    steps = {"environment": environment.name, "promote": "", "advance": False}
    after = next((one for one in ordered if one.policy.origin == environment.name), None)
    if after is None or environment.release.spec.rollback:
        return steps
    needs_evidence = any(demand.environment == environment.name for demand in after.policy.evidence)
    return steps | ({"advance": True} if needs_evidence else {"promote": after.name})
