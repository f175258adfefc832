"""The tables of docs/workflows.md, from the files: what starts a workflow, what one may do."""

import re
from pathlib import Path

from machinery.tests.workflows.contracts import Workflow, asked, read

FOLDER = Path(".github/workflows")


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
