"""Run the jobs of .github/workflows/ci.yml on this machine, with the same summary.

Each job runs the same commands as in the workflow; a test compares them. As there, a job runs if
the plan needs it, and all-green judges the results.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mlops import git
from mlops.console import Timer, say
from mlops.files import write
from mlops.paths import BUILD

HOME = BUILD / "ci"
SUMMARY, OUTPUTS, EVENT = HOME / "summary.md", HOME / "outputs", HOME / "event.json"
# Each job: the output of the plan that asks for it, its commands.
JOBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lint": ("", ("check", "check-release")),
    "test": ("run-tests", ("test",)),
    "train": ("run-train", ("check-data", "train", "evaluate", "report", "gate")),
}
MAIN = ("origin/main", "main")


def run(_: argparse.Namespace) -> int:
    """Plan, run every job that is needed, judge; returns the exit code."""
    for path, text in ((SUMMARY, ""), (OUTPUTS, ""), (EVENT, _event())):
        write(path, text)
    # The plan compares commits, so uncommitted changes need everything.
    planned = _step("plan", FORCE="true" if git.changed() else "")
    outputs = dict(re.findall(r"(?m)^(.+)<<(?:.+)\n(.*)\n", OUTPUTS.read_text(encoding="utf-8")))
    needs = {"plan": {"result": _result(planned), "outputs": outputs}}
    for job, (key, targets) in JOBS.items():
        if planned and outputs.get(key, "true") == "true":
            needs[job] = {"result": _result(_run(job, targets))}
        else:
            needs[job] = {"result": "skipped"}
    green = _step("all-green", NEEDS=json.dumps(needs))
    print(f"\n{SUMMARY.read_text(encoding='utf-8')}")
    say("ci", f"{'green' if green else 'red'}; this summary is {SUMMARY}")
    return 0 if green else 1


def _event() -> str:
    """Return the event of a merge into main: origin/main if there is one, else the local main."""
    commits = (git.git("rev-parse", "--verify", "--quiet", name, check=False) for name in MAIN)
    base = next(filter(None, commits), None)
    return json.dumps({"merge_group": {"base_sha": base}} if base else {})


def _run(job: str, targets: tuple[str, ...]) -> bool:
    """Run a job's commands until one fails, as Actions does."""
    timer = Timer()
    for target in targets:
        say("ci", f"{job}: make {target}")
        if not _ends_well([os.environ.get("MAKE", "make"), "--no-print-directory", target]):
            return False
    say("ci", f"{job} took {timer.seconds:.0f} s")
    return True


def _step(name: str, **environment: str) -> bool:
    return _ends_well([sys.executable, "-m", "mlops", name], **environment)


def _ends_well(command: list[str], **environment: str) -> bool:
    files = {
        "GITHUB_STEP_SUMMARY": SUMMARY,
        "GITHUB_OUTPUT": OUTPUTS,
        "GITHUB_EVENT_PATH": EVENT,
    }
    here = {name: str(Path(path).absolute()) for name, path in files.items()}
    done = subprocess.run(command, env=os.environ | here | environment, check=False)
    return done.returncode == 0


def _result(good: bool) -> str:
    return "success" if good else "failure"
