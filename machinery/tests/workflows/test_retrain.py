"""The clock, executed: drift and new data make a proposal, and only what passes the gate."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def log(road):
    """A prediction log of production: rides five times as long as in training."""
    folder, draw = road.repository.home / "log", random.Random(0)
    folder.mkdir()
    rows = []
    for number in range(1400):
        day = datetime.now(UTC) - timedelta(days=1 + number % 20)
        km = round(draw.uniform(60, 99), 1)
        features = {"km": km, "zone": draw.choice(["inner", "outer"]), "wait": 3.0}
        row = {"id": f"{number:032x}", "time": day.isoformat(), "score": 3 + 2 * km}
        rows.append(row | {"release_id": road.held("production"), "features": features})
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / "predictions-1.jsonl").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def run(road, log):
    """A week has passed: q4 arrived, and what is asked is far from what was learned."""
    return road.clock("retrain.yml", variables={"PREDICTION_LOG": f"file://{log}"})


def test_drift_is_found_and_red_is_nothing(run):
    """An alarm is a reason to train, not a failure of the workflow."""
    run.require("Monitor", "Retrain", "Propose / retrain model")
    assert "W105" in run.summary


def test_a_retraining_is_proposed(road, run):
    """One line of params.yaml; reasons, verdict and report stand in the pull request."""
    assert run.code == 0
    (pull,) = road.github.pulls.values()
    assert road.files("retrain/q4") == ["params.yaml"]
    for text in (
        "- new data: q4 arrived",
        "- drift: ",
        "Verdict of the gate: **pass**",
        "## ✓ Pass",
    ):
        assert text in pull["body"]


def test_what_trains_may_not_write(run):
    """The job that runs the team's code has a token that reads; another one pushes."""
    told = [text for name, text in run.environments.items() if name.startswith("retrain.")]
    assert told and not [text for text in told if "PUSH_STARTS_RUNS" in text]


def test_next_week_it_is_proposed_already(road, run):
    """Still open: trained again, and one pull request."""
    assert run.code == 0
    road.clock("retrain.yml").require("Propose / retrain model")
    assert len(road.github.pulls) == 1


def test_a_retraining_that_fails_the_gate_is_not_proposed(road, run):
    """A quarter that is mostly lost: red, with the rule, and no pull request."""
    assert run.code == 0
    road.github.pulls.clear()
    road.git("push", "--quiet", "origin", ":retrain/q4")
    road.repository.edit(
        "data/__init__.py", "return rows, f", "return rows[rows['km'] > 15 * (number == 3)], f"
    )
    road.repository.commit("Most of q4 is lost")
    found = road.clock("retrain.yml")
    assert found.results["Retrain"] == "failure"
    assert "D102" in found.summary and road.open == []
