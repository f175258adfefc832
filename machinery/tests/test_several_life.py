"""Models with several numbers a row, from the first training to production and its watch."""

import json
import re
import shutil
import urllib.request

import pytest
import yaml

from machinery.tests.forks import MACHINERY, ROOT, Fork, copy
from machinery.tests.test_fork import ask
from machinery.tests.waiting import HANG_SECONDS
from mlops.paths import MONITOR, RECORD, VERDICT

pytestmark = pytest.mark.slow
# The rules that a kind is judged by, and what it is trained on.
KINDS = {
    "classes": {
        "TARGET": '"payment"',
        "gate": {
            "bounds": {"accuracy": 0.6},
            "margins": {"log_loss": 0.02, "accuracy": 0.02},
            "beat_constant": ["log_loss", "accuracy"],
            "max_miscalibration": 0.2,
            "leakage": {"max_auc": 0.96},
        },
        "worse": ("model/__init__.py", "(_cells(frame), target)", "(_cells(frame), 2 - target)"),
        "refused": "M103 accuracy",
    },
    "outputs": {
        "TARGET": '("fare", "minutes")',
        "gate": {
            "bounds": {"r2": 0.7},
            "margins": {"r2": 0.02},
            "beat_constant": ["mae"],
            "leakage": {"max_r2": 0.999},
        },
        "worse": (
            "model/__init__.py",
            "_matrix(columns) @ model",
            "_matrix(columns) @ model[:, ::-1]",
        ),
        "refused": "M103 r2",
    },
    "quantiles": {
        "TARGET": '"fare"',
        "gate": {
            "bounds": {"coverage": 0.08, "crossing": 0},
            "margins": {"pinball": 0.05},
            "beat_constant": ["pinball"],
            "leakage": {"max_r2": 0.999},
            "max_miscalibration": 0.08,
        },
        "worse": ("model/__init__.py", "+ distances", "+ distances[::-1]"),
        "refused": "M103 crossing",
    },
}
RIDE = {"km": 10.0, "night": True}


@pytest.fixture(scope="module", params=KINDS)
def life(request, tmp_path_factory):
    """A fork of one kind, in production, and the kind."""
    kind = KINDS[request.param]
    repository = Fork(tmp_path_factory.mktemp(request.param))
    copy(MACHINERY, repository.folder)
    several = ROOT / "machinery/tests/several"
    shutil.copytree(several / "data", repository.folder / "data")
    shutil.copytree(several / request.param, repository.folder, dirs_exist_ok=True)
    data = repository.folder / "data/__init__.py"
    data.write_text(
        data.read_text("utf-8").replace('TARGET = "fare"', f"TARGET = {kind['TARGET']}")
    )
    params = {
        "name": "rides",
        "data": {},
        "train": {},
        "model": {},
        "check": {"max_twins": 1},
        "gate": {"cluster": "driver", **kind["gate"]},
        "loadtest": {"seconds": 2, "users": 2, "min_requests": 5, "p95_ms": 10000},
        "monitor": {"days": 90, "min_rows": 20, "min_days": 4},
        "serve": {"ready_seconds": 300},
    }
    (repository.folder / "params.yaml").write_text(yaml.safe_dump(params))
    repository.begin()
    steps = "check-data train evaluate report gate package promote deploy"
    repository.mlops(*steps.split(), "--env", "dev")
    yield repository, request.param
    repository.mlops("down")


def read(fork, path):
    """A JSON file of the fork."""
    return json.loads((fork.folder / path).read_text("utf-8"))


def test_the_service_names_every_number(life):
    """Clients read names, not positions."""
    fork, kind = life
    (prediction,) = ask(fork, [RIDE])["predictions"]
    names = {
        "classes": ["cash", "card", "app"],
        "outputs": ["fare", "minutes"],
        "quantiles": ["0.1", "0.5", "0.9"],
    }
    assert list(prediction["scores"]) == names[kind]
    if kind == "classes":
        assert prediction["class"] == "app"
        assert sum(prediction["scores"].values()) == pytest.approx(1)
    if kind == "outputs":
        assert prediction["scores"]["fare"] == pytest.approx(23, abs=1)
        assert prediction["scores"]["minutes"] == pytest.approx(35, abs=2)
    if kind == "quantiles":
        assert sorted(prediction["scores"].values()) == list(prediction["scores"].values())


def test_its_metrics_name_classes_and_outputs(life):
    """The dashboard and the alerts ask for these series."""
    fork, kind = life
    ask(fork, [RIDE])
    series = {
        "classes": r'mlops_class_total{class="app"} [1-9]',
        "outputs": r'mlops_score_count{output="minutes"} [1-9]',
        "quantiles": r'mlops_score_count{output="0.9"} [1-9]',
    }
    url = f"http://127.0.0.1:{fork.port('dev')}/metrics"
    with urllib.request.urlopen(url, timeout=HANG_SECONDS) as answered:
        assert re.search(series[kind], answered.read().decode())


def test_the_report_has_a_row_for_each(life):
    """A reviewer sees which class, output or quantile is bad."""
    fork, kind = life
    report = (fork.folder / "build/report.md").read_text("utf-8")
    section = report[report.index(f"{kind.capitalize()}\n") :]
    for name in read(fork, RECORD)["answer"]["names"]:
        assert re.search(rf"\| `{re.escape(name)}` \|", section), name


def test_a_worse_model_is_refused(life):
    """By the rule of the metric that it breaks."""
    fork, kind = life
    fork.edit(*KINDS[kind]["worse"])
    done = fork.mlops("check-data", "train", "evaluate", "gate", check=False)
    fork.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 1
    assert f"fail         {KINDS[kind]['refused']}" in done.stdout


@pytest.fixture(scope="module")
def in_production(life):
    """The fork of one kind, its release in production after a load test, and the kind."""
    fork, _ = life
    fork.mlops(*"promote deploy loadtest".split(), "--env", "staging")
    fork.mlops(*"promote deploy".split(), "--env", "production")
    return life


def test_it_is_compared_with_itself_in_production(in_production):
    """The champion scores with its own code, and no class or output is worse."""
    fork, _ = in_production
    fork.mlops("check-data", "train", "evaluate", "gate")
    findings = read(fork, VERDICT)["findings"]
    assert {f["verdict"] for f in findings if f["rule"] in ("M106", "M107", "M108")} == {"pass"}


def test_production_is_watched_with_labels_by_name(in_production):
    """Labels have the name of a class, or a column for each output."""
    fork, kind = in_production
    folder = fork.folder / "build/live/production"
    shutil.rmtree(folder / "predictions", ignore_errors=True)
    fork.python(PREDICT_AND_LABEL)
    done = fork.mlops("monitor", "--env", "production", "--no-fail")
    monitored = read(fork, MONITOR)
    assert monitored["labelled"] == monitored["rows"] == 800, done.stdout
    assert monitored["log"]["broken"] == monitored["labels"]["unusable"] == 0
    assert set(monitored["metrics"]) >= set(KINDS[kind]["gate"]["margins"])
    assert monitored["scores"]["times"] < 4
    assert monitored["verdict"] == "pass", done.stdout


# Writes what production's service would have logged for the newest quarter, and its outcomes.
PREDICT_AND_LABEL = """
import json
from datetime import datetime, UTC
from pathlib import Path
import pandas as pd, data, model
from mlops.releases import environments
from mlops.serving.log import PredictionLog, ScoredBatch, line
from mlops.training import calls, contract, record

frame, _ = data.load("q4")
columns = contract.columns("driver")
features = frame[list(columns.features)]
trained = contract.team_model().load(record.model_folder(record.read_record()))
scores = calls.predict(trained, features).tolist()
log = PredictionLog(Path("build/live/production/predictions"), "1")
ids = [f"{n:032x}" for n in range(len(frame))]
release = environments.production().release.spec.release_id
for day, rows in frame.groupby(frame["at"].dt.date):
    chosen = list(rows.index)
    batch = ScoredBatch(
        datetime(day.year, day.month, day.day, tzinfo=UTC),
        [json.dumps({"rows": features.loc[chosen].to_dict("records")}).encode()],
        {name: features.loc[chosen, name].tolist() for name in features},
        [ids[n].encode() for n in chosen], [scores[n] for n in chosen],
    )
    log.append(line(release, batch))
log.close()
names = {"outcome": columns.targets[0]} if len(columns.targets) == 1 else {n: n for n in columns.targets}
labels = pd.DataFrame({"id": ids, **{label: frame[target] for label, target in names.items()}})
Path("build/live/production/labels").mkdir(parents=True, exist_ok=True)
labels.to_csv("build/live/production/labels/q4.csv", index=False)
"""


@pytest.mark.parametrize("life", ["classes"], indirect=True)
def test_a_class_without_training_rows_is_named(life):
    """Where predict leaves its column out, as most classifiers do."""
    fork, _ = life
    fork.edit("model/__init__.py", '("cash", "card", "app")', '("cash", "card", "app", "voucher")')
    fork.edit("model/__init__.py", "model[_cells(columns)]", "model[_cells(columns)][:, :3]")
    done = fork.mlops("train", check=False)
    fork.git("revert", "--no-edit", "HEAD", "HEAD~1")
    assert done.returncode == 2
    assert "No training row has the class voucher" in done.stderr


@pytest.mark.parametrize("life", ["classes"], indirect=True)
def test_a_champion_with_other_names_is_inconclusive(in_production):
    """A model that gained a class says so; it is no crash."""
    fork, _ = in_production
    fork.edit("model/__init__.py", '("cash", "card", "app")', '("cash", "card", "app", "voucher")')
    done = fork.mlops("check-data", "train", "evaluate", "gate", check=False)
    fork.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 3
    (finding,) = [f for f in read(fork, VERDICT)["findings"] if f["rule"] == "M106"]
    assert "answers 3 classes (cash, card, app), the candidate 4 classes" in finding["message"]
