"""Say what a change needs: tests, training, a release; on which Pythons and which runner.

Compares HEAD with the commit in BASE_SHA, else with the one a pull request or a merge group names,
since both left their common ancestor; after a push with the last one for which this workflow
succeeded, so that nothing is lost with a run that failed or gave way. Without one, or where git
does not know it, and with FORCE=true, everything is needed. The runner is the one that GPU_RUNNER
names (a JSON list of labels), and a hosted one for a fork's pull request. Needs nothing installed.
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
# A copy of the template runs at once: before somebody has read it, it publishes nothing.
UNOWNED = (
    f"No release is made: no line of {OWNERS} names an owner, so nobody has taken this copy over. "
    'Run make github-setup ARGS="--apply" and merge the owners that it writes there '
    "(docs/github.md)."
)


def run(_: argparse.Namespace) -> None:
    """Print the plan, and hand it to the jobs that follow."""
    actions.require_default_branch()
    event = actions.payload()
    owned = plan.is_taken_over(OWNERS.read_text("utf-8") if OWNERS.exists() else None)
    work = _work(event, owned)
    place = plan.place(os.environ.get("GPU_RUNNER", ""), plan.trusted(event))
    pythons = _pythons(work.pythons)
    found = {
        "run-tests": json.dumps(bool(pythons)),
        # What is merged was judged; it is trained once more where it becomes a release.
        "run-train": json.dumps(work.train and not plan.pushed(event)),
        "run-release": json.dumps(work.train and owned),
        "run-comment": json.dumps(work.train and "pull_request" in event and plan.trusted(event)),
        "python-versions": json.dumps(pythons),
        "runner": json.dumps(place.runner),
        "device": place.device,
    }
    why = f"{_safe(work.why)}; on {place.device}: {place.why}"
    say("plan", why)
    for name, value in found.items():
        say("", f"{name:<16} {value}")
        actions.output(name, value)
    rows = "".join(f"| {name} | `{value}` |\n" for name, value in found.items())
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
        found = git.git("diff", "--name-only", "--no-renames", "-z", f"{base}...HEAD")
    except UserError as error:
        return plan.work(None, f"git cannot compare with {base}: {error}")
    if owned and plan.pushed(event) and not plan.is_taken_over(git.show(base, OWNERS)):
        return plan.work(None, "nothing was released before this copy had an owner")
    names = [name for name in found.split("\0") if name]
    return plan.work(names, as_released=machinery().as_released)


def _base(event: dict[str, Any]) -> str:
    if plan.pushed(event):
        return last_success.last_success(event["ref"])
    return os.environ.get("BASE_SHA") or plan.base(event)


def _safe(text: str) -> str:
    """Return text with a file's name in it as a line that is no command, and no Markdown."""
    return re.sub(r"[^\w .,:()/-]", "_", text)
