"""Which environments are to be deployed now, and what comes after each?

Those whose release or settings changed since a run on the branch brought them all the way, or is
about to, so that no run that was lost or failed is forgotten; unless a push started this, those
also that do not serve what they should; or the one named. What comes after is `advance` where the
next environment wants evidence collected here, else a promotion to the next; after a rollback
nothing does.
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
from mlops.github.deployments import Brought, brought
from mlops.releases import environments
from mlops.releases.environments import SHARED, Environment

OPTIONS = (Option("--env", "this environment, whatever it serves", "NAME"),)
# What these start is gone with the job, also where the runner stays: it ends what a job leaves.
ON_RUNNER = ("local", "docker")


def run(options: argparse.Namespace) -> None:
    """Name them, and hand a list to the jobs that follow: what is deployed, and what comes then."""
    actions.require_default_branch()
    known = [environments.environment(name) for name in environments.names()]
    due = [environments.environment(options.env)] if options.env else _due(known)
    for one in due:
        say("due", f"{one.name}: {one.release.release_id if one.release else 'holds none yet'}")
    if not due:
        say("due", "nothing is to be deployed")
    actions.output("due", json.dumps([_steps(one, known) for one in due if one.release]))


def _due(known: list[Environment]) -> list[Environment]:
    ref = os.environ.get("GITHUB_REF")
    last = _last_success(ref) if ref else ""
    return [one for one in known if one.release and _is_due(one, ref, last)]


def _last_success(ref: str) -> str:
    """Return the commit of the last run that succeeded, "" where there is none or none is known.

    That run, and not the push before this one: what a run that was lost or failed had to do is
    still to be done.
    """
    try:
        # By hand one environment may have been named, and the others left as they were.
        return last_success.last_success(ref, "workflow_dispatch")
    except UserError as error:
        say("due", str(error))
        return ""


def _is_due(environment: Environment, ref: str | None, last: str) -> bool:
    name = environment.name
    # On a laptop nothing is known of runs, so nothing counts as changed.
    found = _brought(name, ref.removeprefix("refs/heads/"), last) if ref else None
    if found and _is_touched(environment, _changed(found.commit, name)):
        return True
    if found and found.running:
        say("due", f"{name}: a run is at it, or waits for an approval")
        return False
    # What changed nothing may be on its way still; the clock asks what it serves.
    return "before" not in actions.payload() and _differs(environment)


def _brought(name: str, branch: str, last: str) -> Brought:
    """Return how far an environment was brought; without any deployment, by the last good run."""
    try:
        return brought(GitHub.here(), name, branch) or Brought(last)
    except UserError as error:
        say("due", f"{name} is: {error}")
        return Brought("")


def _changed(base: str, name: str) -> list[Path] | None:
    """Return the files that changed since a commit; None where that is not known."""
    if not git.git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}", check=False):
        say("due", f"{name} is: {f'{base} is gone' if base else 'no run has succeeded yet'}")
        return None
    # Renamed, a file would be told of where it went only.
    found = git.git("diff", "--name-only", "--no-renames", "-z", base, "HEAD")
    return [Path(one) for one in found.split("\0") if one]


def _is_touched(environment: Environment, changed: list[Path] | None) -> bool:
    if changed is None:
        return True
    # A policy says what may come here, not what runs.
    policy = environment.folder / "policy.yaml"
    places = (environment.folder, SHARED)
    return any(place in path.parents for path in changed if path != policy for place in places)


def _differs(environment: Environment) -> bool:
    """Say whether something else serves than should, where what was deployed outlives its job."""
    from mlops.targets import target_of

    if os.environ.get("RUNNER_ENVIRONMENT") and environment.settings.target in ON_RUNNER:
        say("due", f"{environment.name}: its target is the runner itself, gone with each job")
        return False
    live = target_of(environment).live(environment)
    return live is None or live.release_id != environment.release.release_id


def _steps(environment: Environment, known: list[Environment]) -> dict[str, str | bool]:
    """Return an environment, and what follows its deployment: one of both, or nothing."""
    found = {"environment": environment.name, "promote": "", "advance": False}
    after = next((one for one in known if one.policy.origin == environment.name), None)
    if after is None or environment.release.spec.rollback:
        return found
    wanted = any(demand.environment == environment.name for demand in after.policy.evidence)
    return found | ({"advance": True} if wanted else {"promote": after.name})
