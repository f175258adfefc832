"""Judge the results of all jobs of a pull request: the one required check.

Reads NEEDS, the results of all jobs in the format of Actions. A job may be skipped only if the plan
excuses it; every other result but success is red. So is a missing or failed plan.
"""

import argparse
import json
import os
from typing import Any

from mlops.ci import actions
from mlops.console import say
from mlops.errors import Refused, UserError

# The required jobs, each with the output of the plan that can excuse it; "": it always runs.
EXCUSE = {"plan": "", "lint": "", "test": "run-tests", "train": "run-train"}
# A failure to post the comment does not depend on the change, so it is no reason to refuse it.
INFORMATIVE = ("comment",)


def run(_: argparse.Namespace) -> None:
    """Print the result of every job; raises Refused if one of them is red."""
    needs = _needs()
    results = {name: _judge(name, needs) for name in {**EXCUSE, **needs}}
    for name, (good, result) in results.items():
        say("all-green", f"{'ok' if good else 'RED':<4} {name}: {result}")
    rows = "".join(
        f"| {name} | {result} | {'' if good else 'red'} |\n"
        for name, (good, result) in results.items()
    )
    actions.summary(f"### All green?\n\n| job | result | |\n|---|---|---|\n{rows}")
    bad = [f"{name} ({result})" for name, (good, result) in results.items() if not good]
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
    """Return whether a job's result is good, and the result as text."""
    if name not in needs:
        return False, "missing among the results"
    result = needs[name].get("result")
    if result == "success" or name in INFORMATIVE:
        return True, str(result)
    planned = needs.get("plan", {})
    excuse = planned.get("outputs", {}).get(EXCUSE.get(name, ""))
    if result == "skipped" and planned.get("result") == "success" and excuse == "false":
        return True, "skipped, as planned"
    return False, (
        f"{result}, which the plan does not excuse" if result == "skipped" else f"{result}"
    )
