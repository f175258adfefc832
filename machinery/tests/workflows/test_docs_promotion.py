"""machinery/docs/promotion.md says which workflow runs what, and the workflows do."""

import re
from pathlib import Path

import pytest

from machinery.tests.workflows import contracts
from mlops.cli import GROUPS

pytestmark = pytest.mark.fast

PAGE = Path("machinery/docs/promotion.md").read_text("utf-8")
ROWS = dict(re.findall(r"(?m)^\| [^|]+ \| `(\w+\.yml)` \| ([a-z, -]+) \|", PAGE))
VERB = re.compile(r"inputs\.verb == '(\w+)'")


def verbs(path):
    """Every verb that a workflow runs, in order: its own steps' and those of what it calls."""
    workflow = contracts.read(path)
    for job in workflow.jobs.values():
        callee = workflow.callee(job)
        if callee and not [*callee.steps]:
            yield from verbs(callee.path)
            continue
        steps = [step for _, step in callee.steps] if callee else job["steps"]
        for step in steps:
            only = VERB.search(str(step.get("if")))
            if only is None or only[1] == job["with"]["verb"]:
                yield from re.findall(r"(?<= )[a-z][a-z-]*", step.get("run", "").split("ARGS")[0])


@pytest.mark.parametrize("name", ROWS)
def test_a_workflow_runs_what_the_page_says(name):
    """In that order, each once; what only plans is left out."""
    ran = list(dict.fromkeys(verbs(Path(".github/workflows", name).absolute())))
    known = [verb for names in GROUPS.values() for verb in names]
    assert [verb for verb in ran if verb in known and verb != "plan"] == ROWS[name].split(", ")


def test_every_workflow_that_moves_a_release_is_on_the_page():
    """Whatever promotes, rolls back, deploys or proposes."""
    moving = {"promote", "rollback", "deploy", "propose"}
    paths = [
        path for path in Path(".github/workflows").glob("*.yml") if "reusable" not in path.name
    ]
    assert {path.name for path in paths if moving & set(verbs(path.absolute()))} == set(ROWS)
