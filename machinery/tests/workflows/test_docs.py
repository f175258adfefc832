"""machinery/docs/workflows.md tells what the files say."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from machinery.tests.workflows import reference
from machinery.tests.workflows.contracts import REQUIRED
from machinery.tests.workflows.flat import load
from mlops.ci import plan

PAGE = Path("machinery/docs/workflows.md").read_text("utf-8")

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("rows", [reference.entries, reference.called], ids=["entry", "called"])
def test_the_tables_are_those_of_the_files(rows):
    """Copy a row that is missing from here."""
    assert [row for row in rows() if row not in PAGE] == []


def test_what_the_clock_costs_is_told():
    """Computed from the cron lines; what a minute is assumed to hold stands beside it."""
    assert ", ".join(reference.minutes()) in " ".join(PAGE.split())


def test_the_costs_of_a_pull_request_are_those_of_the_plan():
    """Replace the table by this one."""
    assert "\n".join(reference.costs()) in PAGE


def test_a_changed_parameter_is_answered_in_time():
    """In at most five minutes, for at most twelve."""
    billed, wall = reference.estimate(("params.yaml",))
    assert billed <= 12 and wall <= 5


def test_a_cost_is_counted_by_hand():
    """A page: plan, lint and all-green one after the other; patched, three legs of tests beside."""
    seconds = plan.SECONDS["ci.yml"]
    one_after_the_other = seconds["plan"] + seconds["lint"] + seconds["all-green"]
    assert reference.estimate(("README.md",)) == (1 + 2 + 1, -(-one_after_the_other // 60))
    billed, wall = reference.estimate(("README.md",), as_released=False)
    leg = plan.MACHINERY_TEST_SECONDS
    assert billed == 1 + 2 + 1 + 3 * -(-leg // 60)
    assert wall == -(-(seconds["plan"] + leg + seconds["all-green"]) // 60)


def test_every_kind_of_change_has_its_costs():
    kinds = {plan.kind(file) for files in reference.CHANGES.values() for file in files}
    assert kinds == {*plan.KINDS, plan.OTHER}


def test_every_job_that_a_pull_request_starts_has_an_estimate():
    """A workflow whose pull requests are counted nowhere would be free."""
    started = {
        path.name: load(path)["jobs"].keys()
        for path in reference.FOLDER.glob("*.yml")
        if "pull_request" in load(path)["on"]
    }
    assert started == {name: jobs.keys() for name, jobs in plan.SECONDS.items()}


@pytest.mark.example
def test_the_costs_are_told_for_as_many_pythons_as_there_are():
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    assert len(plan.python_versions(project)) == reference.PYTHONS


def test_no_file_is_told_of_that_is_gone():
    files = {path.name for path in reference.FOLDER.glob("*.yml")}
    assert set(re.findall(r"(?m)^\| `([a-z-]+\.yml)` \|", PAGE)) == files


def test_the_required_check_is_the_one_of_the_ruleset():
    """A check is known by its name, and required by it."""
    rulesets = [path.read_text("utf-8") for path in Path(".github/settings").rglob("*.json")]
    assert [text for text in rulesets if f'"context": "{REQUIRED}"' in text]


def test_every_variable_is_told():
    """What a workflow reads from the repository's settings stands in settings.yaml."""
    text = "".join(path.read_text("utf-8") for path in reference.FOLDER.glob("*.yml"))
    settings = yaml.safe_load(Path(".github/settings/settings.yaml").read_text("utf-8"))
    assert set(re.findall(r"\bvars\.([A-Z_]+)", text)) == set(settings["variables"])
