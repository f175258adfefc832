"""The tables of docs/workflows.md, from the files and the plan.

What starts a workflow, what one may do, what a pull request costs.
"""

import math
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from machinery.tests.workflows.contracts import Workflow, asked, read
from machinery.tests.workflows.flat import load
from mlops.ci import plan
from mlops.steps.all_green import EXCUSE

FOLDER = Path(".github/workflows")
# What a pull request changes, with files of each; together they are of every kind of the plan.
CHANGES = {
    "a number in `params.yaml`": ("params.yaml",),
    "`data/`": ("data/schema.py", "params.yaml"),
    "`model/`": ("model/features.py", "params.yaml"),
    "`tests/`, `loadtests/`": ("tests/model/test_model.py",),
    "a page of yours": ("README.md",),
    "an environment's settings or policy": ("environments/staging/settings.yaml",),
    "a release that moves": ("environments/staging/release.yaml",),
    "a waiver": ("environments/waivers.yaml",),
    "`.github/settings/`, a template": (".github/settings/settings.yaml",),
    "the lock": ("pyproject.toml", "requirements.txt"),
    "an entry workflow": (".github/workflows/deploy.yml",),
    "the machinery's docs or tests": ("machinery/docs/gate.md",),
    "the machinery": ("machinery/mlops/gate/waivers.py", ".github/actions/setup/action.yml"),
    "a file of any other place": ("notebooks/first.ipynb",),
}
# The Pythons that pyproject.toml names.
PYTHONS = 3


def entries() -> list[str]:
    """Return a row for each workflow that an event starts."""
    return [
        f"| `{one.path.name}` | {', '.join(_event(e, said) for e, said in one.says['on'].items())} "
        f"| {_purpose(one)} |"
        for one in _workflows()
        if not one.called
    ]


def called() -> list[str]:
    """Return a row for each workflow that others call."""
    return [
        f"| `{one.path.name}` | {', '.join(f'{k}: {v}' for k, v in asked(one).items())} "
        f"| {_purpose(one)} |"
        for one in _workflows()
        if one.called
    ]


def minutes() -> list[str]:
    """Return what each workflow takes that the clock starts: a month, at two minutes a job."""
    found = []
    for one in _workflows():
        jobs = sum("if" not in job for job in one.jobs.values())
        runs = sum(_runs(told["cron"]) for told in one.says["on"].get("schedule", ()))
        found += [f"`{one.path.name}` {2 * jobs * runs:.0f}"] if runs else []
    return found


def costs() -> list[str]:
    """Return the table of what a pull request costs: jobs, Pythons and minutes for each change."""
    return [
        "| a change of | beside Plan, Lint and all-green | Pythons | billed | wall "
        "| billed, patched | wall, patched |",
        "|---|---|---|---|---|---|---|",
        *(_cost(change, files) for change, files in CHANGES.items()),
    ]


def estimate(files: tuple[str, ...], as_released: bool = True) -> tuple[int, int]:
    """Return the minutes that a pull request with these files is billed, and those it takes."""
    work = plan.work(files, as_released=as_released)
    billed, wall = 0, 0
    for name in _started(files):
        jobs = load(FOLDER / name)["jobs"]
        seconds = {job: _seconds(name, job, as_released) for job in jobs if _is_needed(job, work)}
        legs = {"test": PYTHONS if work.pythons is plan.Pythons.ALL else 1}
        billed += sum(legs.get(job, 1) * _minutes(seconds[job]) for job in seconds)
        wall = max(wall, _minutes(_longest(jobs, seconds)))
    return billed, wall


def _cost(change: str, files: tuple[str, ...]) -> str:
    work = plan.work(files)
    jobs = [
        job["name"].partition(" (")[0]
        for name in _started(files)
        for key, job in load(FOLDER / name)["jobs"].items()
        if _is_needed(key, work) and key not in ("plan", "lint", "all-green")
    ]
    minutes = (*estimate(files), *estimate(files, as_released=False))
    cells = (change, ", ".join(jobs) or "none", work.pythons, *minutes)
    return f"| {' | '.join(map(str, cells))} |"


def _started(files: tuple[str, ...]) -> Iterator[str]:
    """Yield the workflows that a pull request with these files starts."""
    for name in plan.SECONDS:
        paths = (load(FOLDER / name)["on"]["pull_request"] or {}).get("paths")
        if paths is None or any(fnmatch(file, path) for file in files for path in paths):
            yield name


def _is_needed(job: str, work: plan.Work) -> bool:
    """Return whether a job runs for a pull request from a branch of the same repository."""
    needed = {"run-tests": work.pythons is not plan.Pythons.NONE, "run-train": work.train}
    return work.train if job == "comment" else needed.get(EXCUSE.get(job, ""), True)


def _seconds(workflow: str, job: str, as_released: bool) -> int:
    if job == "test" and not as_released:
        return plan.MACHINERY_TEST_SECONDS
    return plan.SECONDS[workflow][job]


def _minutes(seconds: int) -> int:
    """Return whole minutes, as GitHub bills them."""
    return math.ceil(seconds / 60)


def _longest(jobs: dict[str, Any], seconds: dict[str, int]) -> int:
    """Return the seconds until the last job has ended, each begun when those it needs have."""

    @cache
    def end(job: str) -> int:
        needed = [one for one in jobs[job].get("needs", ()) if one in seconds]
        return seconds[job] + max(map(end, needed), default=0)

    return max(map(end, seconds))


def _runs(cron: str) -> float:
    """Return how often a month something starts: every so many hours, or each day, week, month."""
    _, hour, day, month, weekday = cron.split()
    if day.isdecimal() and (month, weekday) == ("*", "*") and hour.isdecimal():
        return 1
    assert (day, month) == ("*", "*"), f"{cron} starts neither by the day nor by the week"
    daily = 24 / int(hour[2:]) if hour.startswith("*/") else 1
    assert daily > 1 or hour.isdecimal(), f"the hour of {cron} is neither a number nor */N"
    return 30 * daily / (1 if weekday == "*" else 7)


def _workflows() -> list[Workflow]:
    return [read(path.absolute()) for path in sorted(FOLDER.glob("*.yml"))]


def _event(name: str, said: dict | list | None) -> str:
    branches = said.get("branches", said.get("tags", ())) if isinstance(said, dict) else ()
    words = {"workflow_dispatch": "by hand", "schedule": "the clock"}.get(name, name)
    return " ".join((words.replace("_", " "), *branches))


def _purpose(workflow: Workflow) -> str:
    """Return the first sentence of the comment a file begins with."""
    header = re.match(r"(?:# .*\n)+", workflow.text)[0]
    text = " ".join(line[2:] for line in header.splitlines())
    sentence = re.match(r".*?[\w`][.;?](?= |$)", text)[0]
    return sentence.rstrip(".;").replace("|", "/")
