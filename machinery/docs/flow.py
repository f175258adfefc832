"""Draw how the workflows start each other: python machinery/docs/flow.py.

Writes the diagram between the marks in machinery/docs/workflows.md; a test checks that it is
current.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

WORKFLOWS, PAGE = Path(".github/workflows"), Path("machinery/docs/workflows.md")
BEGIN, END = "<!-- flow: python machinery/docs/flow.py -->", "<!-- end of flow -->"
# The events that start a workflow: the name of the node, its shape and label.
STARTS = {
    "pull_request": ("change", "([a pull request])"),
    "push main": ("main", "[(main)]"),
    "push v*": ("tag", "[(a tag of the machinery)]"),
    "push staging": ("moved", "[(branch staging)]"),
    "schedule": ("clock", "([the clock])"),
    "workflow_dispatch": ("person", "([a person])"),
}
# The called workflows that lead on: the node they lead to, and the label of the arrow.
LEADS = {
    "reusable-propose.yml": ("change", "proposes"),
    "reusable-advance.yml": ("moved", "moves"),
    "reusable-comment.yml": ("change", "comments on"),
}


def entries() -> dict[str, dict[str, Any]]:
    """Return the workflows that events start, by file name."""
    workflows = {}
    for path in sorted(WORKFLOWS.glob("*.yml")):
        if not path.name.startswith("reusable-"):
            workflows[path.name] = _read(path)
    return workflows


def _read(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads a bare `on` as true.
    return yaml.safe_load(re.sub("(?m)^on:", "'on':", path.read_text("utf-8")))


def starts(workflow: dict[str, Any]) -> list[str]:
    """Return the events that start a workflow, a person only if there is no other event."""
    events = []
    for event, details in workflow["on"].items():
        pushed = details or {} if event == "push" else {"branches": [""]}
        branches = [*pushed.get("branches", []), *pushed.get("tags", [])]
        events += [f"{event} {branch}".strip() for branch in branches]
    drawn = [one for one in STARTS if one in events]
    return [one for one in drawn if one != "workflow_dispatch"] or drawn


def calls(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the jobs of a workflow; a call is replaced by its jobs if all of them are calls."""
    for job in workflow["jobs"].values():
        called = _read(WORKFLOWS / Path(job["uses"]).name) if "uses" in job else {"jobs": {"": {}}}
        if all("uses" in inner for inner in called["jobs"].values()):
            yield from calls(called)
        else:
            yield job


def leads(workflow: dict[str, Any]) -> list[str]:
    """Return the called workflows that lead to another node."""
    called = {str(job.get("uses", "")).rpartition("/")[2] for job in calls(workflow)}
    steps = [step for job in calls(workflow) for step in job.get("steps", ())]
    if any(step.get("run") == "make propose" for step in steps):
        called.add("reusable-propose.yml")
    return [name for name in LEADS if name in called]


def diagram() -> Iterator[str]:
    """Yield the lines of the diagram."""
    yield "```mermaid"
    yield "flowchart LR"
    yield from (f"  {name}{shape}" for name, shape in STARTS.values())
    yield "  change -->|all-green, approved, squashed| main"
    for file, workflow in entries().items():
        node = file.removesuffix(".yml")
        # Of the name of a matrix job what all legs have.
        jobs = ", ".join(job["name"].partition(" (${{")[0] for job in calls(workflow))
        yield f'  {node}["<b>{file}</b><br>{jobs}"]'
        yield from (f"  {STARTS[start][0]} --> {node}" for start in starts(workflow))
        for name in leads(workflow):
            where, how = LEADS[name]
            yield f"  {node} -.->|{how}| {where}"
    yield "```"


def page() -> str:
    """Return the page with the current diagram."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    middle = "\n".join(["", "", *diagram(), "", ""])
    return f"{before}{BEGIN}{middle}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
