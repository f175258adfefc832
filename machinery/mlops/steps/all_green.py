"""Say whether every job of a pull request did what it should: the one check that is required.

Reads NEEDS, the results of all jobs as Actions gives them. A job may be skipped only where the plan
says that it is not needed; anything else but success is red, a plan that is missing or failed too.
"""

import argparse
import json
import os
from typing import Any

from mlops.ci import actions
from mlops.console import say
from mlops.errors import Refused, UserError

# The jobs there must be, and the output of the plan that excuses one; without one it always runs.
EXCUSE = {"plan": "", "lint": "", "test": "run-tests", "train": "run-train"}
# Whether it was posted says nothing about the change.
TOLD = ("comment",)


def run(_: argparse.Namespace) -> None:
    """Print the result of every job; raises Refused when one of them speaks against a merge."""
    needs = _needs()
    found = {name: _judge(name, needs) for name in {**EXCUSE, **needs}}
    for name, (good, words) in found.items():
        say("all-green", f"{'ok' if good else 'RED':<4} {name}: {words}")
    rows = "".join(
        f"| {name} | {words} | {'' if good else 'red'} |\n" for name, (good, words) in found.items()
    )
    actions.summary(f"### All green?\n\n| job | result | |\n|---|---|---|\n{rows}")
    bad = [f"{name} ({words})" for name, (good, words) in found.items() if not good]
    if bad:
        raise Refused(f"not green: {', '.join(bad)}. Open the job's log, mend it and push.")


def _needs() -> dict[str, Any]:
    try:
        needs = json.loads(os.environ.get("NEEDS", ""))
    except ValueError:
        needs = None
    if not isinstance(needs, dict):
        raise UserError("NEEDS holds no JSON object. In a workflow it is ${{ toJSON(needs) }}.")
    return needs


def _judge(name: str, needs: dict[str, Any]) -> tuple[bool, str]:
    """Return whether a job's result is good, and the result in words."""
    if name not in needs:
        return False, "missing among the results"
    result = needs[name].get("result")
    if result == "success" or name in TOLD:
        return True, str(result)
    planned = needs.get("plan", {})
    excuse = planned.get("outputs", {}).get(EXCUSE.get(name, ""))
    if result == "skipped" and planned.get("result") == "success" and excuse == "false":
        return True, "skipped, as planned"
    return False, (
        f"{result}, which the plan does not excuse" if result == "skipped" else f"{result}"
    )
