"""Every workflow keeps every contract, and one deliberately bad workflow keeps none of them."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from machinery.tests.workflows import contracts, runs
from machinery.tests.workflows.flat import load
from mlops.ci.plan import python_versions

WORKFLOWS = sorted(Path(".github/workflows").glob("*.yml"))
ACTIONS = sorted(Path(".github/actions").glob("*/action.yml"))
MAKE = re.compile(r"(?m)^\s*run: make ([a-z][^\n]*)$")
BAD = sorted(Path("machinery/tests/workflows/bad/.github/workflows").glob("*.yml"))

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("contract", contracts.CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_keeps_its_contracts(path, contract):
    assert not list(contract(contracts.read(path.absolute())))


@pytest.mark.parametrize("contract", contracts.OF_ACTIONS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.parent.name)
def test_an_action_keeps_its_contracts(path, contract):
    assert not list(contract(contracts.read(path.absolute())))


@pytest.mark.parametrize("contract", contracts.CONTRACTS, ids=lambda contract: contract.__name__)
def test_each_contract_flags_the_bad_workflow(contract):
    found = [words for path in BAD for words in contract(contracts.read(path.absolute()))]
    expected = Path("machinery/tests/workflows/bad/expected.yaml").read_text("utf-8")
    assert found == yaml.safe_load(expected)[contract.__name__]


def test_everything_used_is_played_by_a_stand_in():
    """No workflow can be executed half."""
    missing = [
        name
        for name in runs.uses(Path())
        if not (runs.STANDINS / name.partition("@")[0] / "action.yml").is_file()
    ]
    assert missing == []


def test_an_action_that_is_raised_everywhere_needs_no_other_change(tmp_path):
    """Dependabot's pull request is green by itself; one that forgets a file is not."""
    shutil.copytree(".github", tmp_path / ".github")
    newer = rf"\g<1>{'a' * 40} # v7.1.0"
    for path in (tmp_path / ".github").rglob("*.yml"):
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"(actions/checkout@)\S+ # \S+", newer, text), "utf-8")
    entry = tmp_path / ".github/workflows/security.yml"
    assert not list(contracts.pinned(contracts.read(entry)))
    shutil.copy(".github/workflows/security.yml", entry)
    (found,) = contracts.pinned(contracts.read(entry))
    assert found.startswith("actions/checkout is used at") and "v7.1.0" in found


def test_jobs_run_on_a_python_that_the_tests_run_on():
    """Name in .github/python-version one of pyproject.toml's classifiers, the oldest at best."""
    lines = Path(".github/python-version").read_text("utf-8").splitlines()
    named = [line for line in lines if not line.startswith("#")]
    known = python_versions(tomllib.loads(Path("pyproject.toml").read_text("utf-8")))
    assert len(named) == 1 and named[0] in known


@pytest.mark.parametrize("name", ["deploy", "staging"])
def test_what_deploys_the_newest_keeps_no_queue(name):
    """Each run that waited would ask for its approval, one by one, to deploy the same."""
    assert "queue" not in load(Path(f".github/workflows/{name}.yml")).get("concurrency", {})
    for job in load(Path(f".github/workflows/{name}.yml"))["jobs"].values():
        assert "queue" not in job.get("concurrency", {})


def test_every_target_is_one_of_the_makefile():
    """A laptop can run what a job runs."""
    texts = [path.read_text("utf-8") for path in [*WORKFLOWS, *ACTIONS]]
    asked = {word for text in texts for line in MAKE.findall(text) for word in line.split()}
    listed = re.findall(
        r"(?m)^([a-z-]+):.*## ", Path("machinery/mlops/machinery.mk").read_text("utf-8")
    )
    assert {word for word in asked if "=" not in word} - set(listed) == set()


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.parent.name)
def test_an_action_describes_its_inputs(path):
    """What an action takes and gives is told where it is written."""
    said = load(path)
    declared = {**said.get("inputs", {}), **said.get("outputs", {})}
    assert [name for name, one in declared.items() if not one.get("description")] == []
    assert said["description"] and said["runs"]["using"] == "composite"


def test_a_stand_in_takes_what_it_is_given():
    """An input that the stand-in does not know is a spelling mistake, or a behaviour untested."""
    unknown = []
    for path in [*WORKFLOWS, *ACTIONS]:
        said = load(path)
        jobs = said.get("jobs", {"": {"steps": said.get("runs", {}).get("steps", ())}})
        for step in (step for job in jobs.values() for step in job.get("steps", ())):
            name = step.get("uses", "$/").partition("@")[0]
            if not name.startswith("$/"):
                known = load(runs.STANDINS / name / "action.yml")["inputs"]
                unknown += [
                    (path.name, name, key) for key in step.get("with", {}) if key not in known
                ]
    assert unknown == []
