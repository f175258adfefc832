"""A table's whole way: from one command to a model that answers over HTTP."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest
import yaml

from machinery.tests.locks import needed, pins
from machinery.tests.waiting import HANG_SECONDS
from mlops.paths import RECORD, VERDICT

pytestmark = [pytest.mark.slow, pytest.mark.example]

SERVED = ("scikit-learn", "skops", "pandas")
# Table, what is asked of it, a row for the service, and what the row's answer must be.
LIVES = {
    "churn": (
        ("--target", "churned"),
        {"age": None, "plan": "basic", "active": True},
        lambda answer: 0 < answer["score"] < 1,
    ),
    "shop": (
        ("--target", "hours", "--group", "customer"),
        {"weight": 2.0, "zone": "far"},
        lambda answer: 50 < answer["score"] < 95,
    ),
    "iris": (
        ("--target", "target"),
        {
            "sepal length (cm)": 5.0,
            "sepal width (cm)": 3.4,
            "petal length (cm)": 1.5,
            "petal width (cm)": 0.2,
        },
        lambda answer: answer["scores"]["0"] > 0.9,
    ),
    # A forecast: the load of each of the next 24 hours, asked at the height of the day.
    "load": (
        ("--target", "h[0-9]*"),
        {"hour": 6, "load": 62.0, "day_before": 62.0},
        lambda answer: list(answer["scores"]) == [f"h{ahead}" for ahead in range(1, 25)]
        and answer["scores"]["h1"] > 55 > 45 > answer["scores"]["h12"],
    ),
}


def lock_what_is_served(folder):
    """Do what `make lock` does to the service's lock, without asking an index."""
    path = folder / "requirements-serve.txt"
    everything, served = pins(folder / "requirements.txt"), pins(path)
    for name in set().union(*map(needed, SERVED)):
        served[name] = everything[name]
    path.write_text("".join(block for _, block in sorted(served.items())), "utf-8")


def ask(fork, row):
    """Ask the service in dev for one prediction."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{fork.port('dev')}/predict",
        json.dumps({"rows": [row]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=HANG_SECONDS) as response:
        return json.load(response)["predictions"][0]


@pytest.mark.parametrize("name", LIVES)
def test_from_a_table_to_an_answer(template, csv, name):
    """One command, a commit, the tests of the new fork, a release, and a row over HTTP."""
    options, row, right = LIVES[name]
    template.git("checkout", "--quiet", "-B", name, "main")
    done = template.mlops("start", "--no-lock", "--from", str(csv(name)), *options)
    assert re.search(
        r"start +verdict PASS; the report is build/report.html\n +look at:", done.stdout
    )
    assert done.stdout.count("\n              ") >= 3
    lock_what_is_served(template.folder)
    template.git("add", "--all")
    template.git("commit", "--quiet", "--message", f"Start with {name}")
    _tests_are_green(template)
    _numbers_have_reasons(template)
    params = template.folder / "params.yaml"
    params.write_text(params.read_text("utf-8") + "\nserve: {ready_seconds: 300}\n", "utf-8")
    template.git("commit", "--quiet", "--all", "--message", "Any machine will do")
    steps = "check-data train evaluate report gate package promote deploy"
    template.mlops(*steps.split(), "--env", "dev")
    assert right(ask(template, row))
    template.mlops("down")
    template.git("checkout", "--quiet", "main", "--", "environments")


def _tests_are_green(fork):
    words = "pytest -q -p no:cacheprovider tests machinery/mlops/conformance"
    for module in (words, "pylint --score=n data model tests"):
        command = [sys.executable, "-m", *module.split()]
        options = {"cwd": fork.folder, "env": fork.environment, "capture_output": True}
        done = subprocess.run(command, text=True, check=False, **options)
        assert done.returncode == 0, done.stdout
        assert "skipped" not in done.stdout


def _numbers_have_reasons(fork):
    """Bounds and margins are worse than what was measured, so that chance does not refuse."""
    params = yaml.safe_load((fork.folder / "params.yaml").read_text("utf-8"))
    metrics = json.loads((fork.folder / RECORD).read_text("utf-8"))["evaluation"]["metrics"]
    assert params["gate"]["bounds"] and params["gate"]["margins"]
    for name, bound in params["gate"]["bounds"].items():
        low, high = (metrics[name]["candidate"][end] for end in ("low", "high"))
        assert bound < low if metrics[name]["higher_is_better"] else bound > high
    for name, margin in params["gate"]["margins"].items():
        low, high = (metrics[name]["candidate"][end] for end in ("low", "high"))
        assert 0.99 * (high - low) / 2 <= margin <= max(0.005, 1.5 * (high - low) / 2)
    assert json.loads((fork.folder / VERDICT).read_text("utf-8"))["verdict"] == "pass"
