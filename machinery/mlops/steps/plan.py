"""Plan what a change needs: tests, training, a release; on which Pythons and which runner.

Lists the files that changed since HEAD and the base commit left their common ancestor. The base is
BASE_SHA, else the base of the pull request or merge group. After a push it is the last commit for
which this workflow succeeded, so the changes of a failed or cancelled run are planned again.
Everything is needed if there is no base, if git does not know it, and with FORCE=true. The runner
is the one that GPU_RUNNER names (a JSON list of labels), and a hosted one for the pull request of a
fork. Needs no installed package.
"""

import argparse
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from mlops import git
from mlops.ci import actions, last_success, plan
from mlops.console import say
from mlops.errors import UserError
from mlops.upgrading.manifest import machinery

COMMIT = re.compile(r"[0-9a-f]{40}")
OWNERS = Path(".github/CODEOWNERS")
# The workflows of a new copy run at once. It must not publish a release before it has an owner.
UNOWNED = (
    f"No release is made: no line of {OWNERS} names an owner, so nobody has taken this copy over. "
    'Run make github-setup ARGS="--apply" and merge the owners that it writes there '
    "(docs/github.md)."
)


def run(_: argparse.Namespace) -> None:
    """Print the plan and set it as outputs for the later jobs."""
    actions.require_default_branch()
    event = actions.payload()
    owned = plan.is_taken_over(OWNERS.read_text("utf-8") if OWNERS.exists() else None)
    work = _work(event, owned)
    runner = plan.training_runner(os.environ.get("GPU_RUNNER", ""), plan.trusted(event))
    pythons = _pythons(work.pythons)
    outputs = {
        "run-tests": json.dumps(bool(pythons)),
        # A merged change has passed the gate; the job that releases it trains it again.
        "run-train": json.dumps(work.train and not plan.pushed(event)),
        "run-release": json.dumps(work.train and owned),
        "run-comment": json.dumps(work.train and "pull_request" in event and plan.trusted(event)),
        "python-versions": json.dumps(pythons),
        "runner": json.dumps(runner.labels),
        "device": runner.device,
    }
    why = f"{_safe(work.why)}; on {runner.device}: {runner.why}"
    say("plan", why)
    for name, value in outputs.items():
        say("", f"{name:<16} {value}")
        actions.output(name, value)
    rows = "".join(f"| {name} | `{value}` |\n" for name, value in outputs.items())
    merged = bool(event) and not plan.base(event)
    remark = f"\n{UNOWNED}\n" if merged and not owned else ""
    if remark:
        say("plan", UNOWNED)
    actions.summary(f"### Plan\n\n{why}.\n\n| what | value |\n|---|---|\n{rows}{remark}")


def _pythons(tested: plan.Pythons) -> list[str]:
    """Return the Pythons to test on: all that pyproject.toml names, or the one that jobs run on."""
    versions = plan.python_versions(tomllib.loads(Path("pyproject.toml").read_text("utf-8")))
    if tested is plan.Pythons.ONE:
        return [Path(".github/python-version").read_text("utf-8").split()[-1]]
    return [] if tested is plan.Pythons.NONE else versions


def _work(event: dict[str, Any], owned: bool) -> plan.Work:
    if os.environ.get("FORCE") == "true":
        return plan.work(None, "it was asked for")
    try:
        base = _base(event)
    except UserError as error:
        return plan.work(None, str(error))
    if not COMMIT.fullmatch(base) or not int(base, 16):
        return plan.work(None, "there is no commit to compare with")
    try:
        diff = git.git("diff", "--name-only", "--no-renames", "-z", f"{base}...HEAD")
    except UserError as error:
        return plan.work(None, f"git cannot compare with {base}: {error}")
    if owned and plan.pushed(event) and not plan.is_taken_over(git.show(base, OWNERS)):
        return plan.work(None, "nothing was released before this copy had an owner")
    names = [name for name in diff.split("\0") if name]
    return plan.work(names, as_released=machinery().as_released)


def _base(event: dict[str, Any]) -> str:
    if plan.pushed(event):
        return last_success.last_success(event["ref"])
    return os.environ.get("BASE_SHA") or plan.base(event)


def _safe(text: str) -> str:
    """Replace characters that GitHub would read as a workflow command or as Markdown."""
    return re.sub(r"[^\w .,:()/-]", "_", text)
