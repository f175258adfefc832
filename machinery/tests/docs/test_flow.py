"""The diagram of the workflows is drawn from the workflows; the settings name what they use."""

import importlib.util
import re
from pathlib import Path

import pytest

from mlops.github.settings import settings

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def flow():
    """machinery/docs/flow.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("flow", "machinery/docs/flow.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_diagram_is_fresh(flow):
    """After a change of a workflow: python machinery/docs/flow.py."""
    assert flow.PAGE.read_text("utf-8") == flow.page()


def test_every_workflow_is_started_by_something(flow):
    """One that nothing starts would be missing from the road."""
    assert [name for name, one in flow.entries().items() if not flow.starts(one)] == []


def test_the_variables_are_those_that_workflows_read():
    """settings.yaml says what each is for; one that nothing reads would be a promise."""
    text = "".join(path.read_text("utf-8") for path in Path(".github").rglob("*.yml"))
    assert set(settings().variables) == set(re.findall(r"\bvars\.([A-Z_]+)", text))


def test_the_secrets_are_those_that_workflows_read():
    """Nothing asks for a secret that no page tells of."""
    text = "".join(path.read_text("utf-8") for path in Path(".github").rglob("*.yml"))
    assert set(settings().secrets) == set(re.findall(r"\bsecrets\.([A-Z_]+)", text))


def test_docs_tell_every_variable_and_secret():
    """machinery/docs/github.md has a row for each."""
    page = Path("machinery/docs/github.md").read_text("utf-8")
    told = re.findall(r"(?m)^\| `([A-Z_]+)`", page)
    assert {*settings().variables, *settings().secrets} == set(told)


@pytest.mark.example
def test_code_owners_are_told_as_the_readme_tells_them():
    """Yours and machinery, in two blocks, as in the README's table."""
    text = Path(".github/CODEOWNERS").read_text("utf-8")
    yours, machinery = text.split("# ---- machinery")
    table = Path("README.md").read_text("utf-8")
    for name, whose in re.findall(
        r"(?m)^\| `([a-z]+/|params\.yaml)` \| (yours|machinery) \|", table
    ):
        assert f"/{name} " in (yours if whose == "yours" else machinery), name
