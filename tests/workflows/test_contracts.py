"""Every workflow keeps every contract, and one deliberately bad workflow keeps none of them."""

from pathlib import Path

import pytest
import yaml

from tests.workflows import contracts, runs
from tests.workflows.flat import load

WORKFLOWS = sorted(Path(".github/workflows").glob("*.yml"))
ACTIONS = sorted(Path(".github/actions").glob("*/action.yml"))
BAD = sorted(Path("tests/workflows/bad/.github/workflows").glob("*.yml"))

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
    expected = Path("tests/workflows/bad/expected.yaml").read_text("utf-8")
    assert found == yaml.safe_load(expected)[contract.__name__]


def test_everything_used_is_played_by_a_stand_in():
    """No workflow can be executed half."""
    missing = [
        name
        for name in runs.uses(Path())
        if not (runs.STANDINS / name.partition("@")[0] / "action.yml").is_file()
    ]
    assert missing == []


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
