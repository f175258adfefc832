"""Which environments are to be deployed now, and what comes after each?

After a push those whose release or settings it changed, otherwise those that do not serve what they
should, or the one named. What comes after is `advance` where the next environment wants evidence
collected here, else a promotion to the next; after a rollback nothing does.
"""

import argparse
import json
import os
from pathlib import Path

from mlops import git
from mlops.ci import actions
from mlops.console import say
from mlops.options import Option
from mlops.releases import environments
from mlops.releases.environments import SHARED, Environment

OPTIONS = (Option("--env", "this environment, whatever it serves", "NAME"),)
# What these start is gone with the job, also where the runner stays: it ends what a job leaves.
ON_RUNNER = ("local", "docker")


def run(options: argparse.Namespace) -> None:
    """Name them, and hand a list to the jobs that follow: what is deployed, and what comes then."""
    known = [environments.environment(name) for name in environments.names()]
    due = [environments.environment(options.env)] if options.env else _due(known)
    for one in due:
        say("due", f"{one.name}: {one.release.release_id if one.release else 'holds none yet'}")
    if not due:
        say("due", "nothing is to be deployed")
    actions.output("due", json.dumps([_steps(one, known) for one in due if one.release]))


def _due(known: list[Environment]) -> list[Environment]:
    before = actions.payload().get("before")
    held = [one for one in known if one.release]
    if before is None:
        return [one for one in held if _differs(one)]
    changed = _changed(before)
    return held if changed is None else [one for one in held if _is_touched(one, changed)]


def _changed(before: str) -> list[Path] | None:
    """Return the files a push changed; None where what was there before is gone."""
    if not git.git("rev-parse", "--verify", "--quiet", f"{before}^{{commit}}", check=False):
        return None
    return [Path(n) for n in git.git("diff", "--name-only", before, "HEAD").splitlines()]


def _is_touched(environment: Environment, changed: list[Path]) -> bool:
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
