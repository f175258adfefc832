"""machinery/docs/workflows.md tells what the files say."""

import re
from pathlib import Path

import pytest
import yaml

from machinery.tests.workflows import reference
from machinery.tests.workflows.contracts import REQUIRED

PAGE = Path("machinery/docs/workflows.md").read_text("utf-8")

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("rows", [reference.entries, reference.called], ids=["entry", "called"])
def test_the_tables_are_those_of_the_files(rows):
    """Copy a row that is missing from here."""
    assert [row for row in rows() if row not in PAGE] == []


def test_what_the_clock_costs_is_told():
    """Computed from the cron lines; what a minute is assumed to hold stands beside it."""
    assert ", ".join(reference.minutes()) in " ".join(PAGE.split())


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
