"""A fork whose rows hold lists of numbers, such as an embedding of a text or a short series."""

import json
import urllib.error

import pytest

from machinery.tests.forks import deployed_with, require_comparable
from machinery.tests.test_fork_times import post
from mlops.paths import RECORD

COLUMNS = """        "street": pa.Column(
            object, nullable=True, metadata={"length": 3}, description="embedding of the street"
        ),
        "fare": pa."""
ROWS = """    lists = random.normal(0, 1, (600, 3)).round(3).tolist()
    rows.insert(4, "street", [None if n % 7 == 0 else one for n, one in enumerate(lists)])
    return rows, f"""
# The first number of a list is worth a minute of waiting.
MODEL = """    wait = wait + [0.0 if one is None else float(one[0]) for one in columns["street"]]
    outer"""
RIDE = {"km": 10.0, "zone": "outer", "wait": None, "street": [0.5, 0, -1.5]}


@pytest.fixture(scope="module")
def deployed(fork):
    """The fork with its model deployed to dev."""
    return deployed_with(fork, COLUMNS, ROWS, MODEL)


def score(fork, **changed):
    """The score of a ride."""
    (prediction,) = post(fork, "/predict", {"rows": [RIDE | changed]})["predictions"]
    return prediction["score"]


def test_the_model_gets_the_list(deployed):
    """Its numbers count, whole ones too; a missing list is None."""
    lower, higher = score(deployed, street=[0, 0, 0]), score(deployed, street=[2, 0, 0])
    assert higher - lower == pytest.approx(2, rel=0.2)
    assert score(deployed, street=None) == pytest.approx(lower)


@pytest.mark.parametrize(
    ("street", "field"),
    [([1, 2], "street"), ([1, 2, 3, 4], "street"), ([1, 2, "3"], "street.2"), (1.5, "street")],
)
def test_another_list_is_refused(deployed, street, field):
    """With the length that it must have."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        score(deployed, street=street)
    (problem,) = json.load(refused.value)["detail"]
    assert problem["field"] == f"rows.0.{field}"
    assert problem["allowed"] == "a list of numbers of length 3, or null"


def test_a_full_request_is_no_body_too_large(deployed):
    """The limits count the numbers of a list, not the fields."""
    long = {"rows": [RIDE | {"street": [0.123456789012345] * 3}] * 1000}
    assert len(post(deployed, "/predict", long)["predictions"]) == 1000


def test_no_list_of_a_row_leaves(deployed):
    """The record has the lengths of vectors; the description of the service has medians."""
    record = json.loads((deployed.folder / RECORD).read_text("utf-8"))
    assert record["data"]["reference"]["street"]["edges"]
    example = post(deployed, "/docs.json")["paths"]["/predict"]["post"]["requestBody"]
    (row,) = example["content"]["application/json"]["example"]["rows"]
    assert len(row["street"]) == 3 and all(abs(number) < 0.3 for number in row["street"])


def test_the_load_test_and_the_monitor_take_them(deployed):
    """Locust's requests are answered, and the log of them is read."""
    deployed.mlops("loadtest", "--env", "dev")
    done = deployed.mlops("monitor", "--env", "dev", "--no-fail")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_list_that_knows_the_outcome_leaks(deployed):
    """In any of its positions."""
    knows = "[[a, b, fare] for (a, b, _), fare in zip(lists, rows['fare'])]"
    lists = "[None if n % 7 == 0 else one for n, one in enumerate(lists)]"
    deployed.edit("params.yaml", "gate:", "gate:\n  leakage: {max_r2: 0.95}")
    deployed.edit("data/__init__.py", lists, knows)
    done = deployed.mlops("check-data", "train", "evaluate", "gate", check=False)
    deployed.git("revert", "--no-edit", "HEAD", "HEAD~1")
    assert done.returncode == 1 and "M109 street" in done.stdout


def test_lists_of_several_lengths_are_refused(deployed):
    """The number of rows is named, and the length."""
    deployed.edit("data/__init__.py", "else one for", "else one[: 2 + n % 5] for")
    done = deployed.mlops("check-data", check=False)
    deployed.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 1
    assert "street: 102 value(s) are no list of 3 finite numbers" in done.stderr


def test_the_next_release_is_compared_with_this_one(deployed):
    """The champion scores a file of rows with lists; they score as a frame."""
    require_comparable(deployed)
