"""The example on real months: judged against a champion in production, and what is refused."""

import json
import shutil

import pytest

from mlops.paths import RECORD, VERDICT
from mlops.steps.demo import OVERFITTING

pytestmark = [pytest.mark.slow, pytest.mark.example]

JUDGE = ("check-data", "train", "evaluate", "gate")


def judged(example, *codes):
    """Train and judge what is committed; return what was objected to, and the evaluation."""
    done = example.mlops(*JUDGE, check=False)
    assert done.returncode in codes, done.stdout + done.stderr
    findings = json.loads((example.folder / VERDICT).read_text())["findings"]
    objections = {f"{f['rule']} {f['subject']}" for f in findings if f["verdict"] != "pass"}
    return objections, json.loads((example.folder / RECORD).read_text())["evaluation"]


@pytest.fixture(scope="module")
def production(example):
    """The example with a model of April and May in production."""
    # docs/test_readme.py runs the demonstration, which takes the example there by service and load.
    policy = example.folder / "environments/production/policy.yaml"
    policy.write_text("from: staging\nevidence: [{kind: gate, environment: build}]\n", "utf-8")
    example.git("commit", "--quiet", "--all", "--message", "Ask for no load test")
    example.mlops(*JUDGE, "package")
    for name in ("dev", "staging", "production"):
        example.mlops("promote", "--env", name)
    example.edit("params.yaml", "last: 2013-06", "last: 2013-07")
    return example


@pytest.fixture(scope="module")
def retrained(production):
    """The evaluation of an innocent candidate that learned from one month more."""
    return judged(production, 0)


@pytest.fixture
def proposal(production):
    """A branch for a change, left again after the test."""
    production.git("checkout", "--quiet", "-B", "proposal")
    yield production
    production.git("checkout", "--quiet", "--force", "main")


def test_one_more_month_passes_against_the_champion(retrained):
    """An innocent retraining is let through by every rule."""
    objections, evaluation = retrained
    assert not objections
    assert evaluation["champion"]["trained_on"] == ["2013-04", "2013-05"]
    assert evaluation["champion"]["error"] is None


def test_the_report_can_tell_what_changed(retrained):
    """From the champion's own record: one month more, no code; and each column's drift."""
    evaluation = retrained[1]
    origin = evaluation["champion"]["origin"]
    assert origin["data"]["partitions"] == evaluation["champion"]["trained_on"]
    assert evaluation["champion"]["code"] == [] and origin["params"]["model"]["max_depth"] == 6
    assert {drift["column"] for drift in evaluation["drift"]} >= {"late", "carrier", "temp"}


def test_an_overfitted_model_is_refused(proposal):
    """Really trained, and significantly worse than the champion on the same rows."""
    text = (proposal.folder / "params.yaml").read_text("utf-8")
    for key, value in OVERFITTING.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"  {key}:")]
        text = text.replace(line, f"  {key}: {value}")
    (proposal.folder / "params.yaml").write_text(text, "utf-8")
    proposal.git("commit", "--quiet", "--all", "--message", "Overfit")
    assert "M107 log_loss" in judged(proposal, 1)[0]
    done = proposal.mlops("package", check=False)
    assert done.returncode == 1
    assert "the verdict of the gate is fail: " in done.stderr


def test_the_champion_is_scored_by_its_own_code(proposal, retrained):
    """A candidate with other features leaves the champion's scores as they were."""
    proposal.edit("model/features.py", '"precip", "pressure", "visib")', '"precip", "pressure")')
    _, evaluation = judged(proposal, 0, 1, 3)
    champion = {name: m["champion"] for name, m in evaluation["metrics"].items()}
    assert champion == {name: m["champion"] for name, m in retrained[1]["metrics"].items()}
    candidate = evaluation["metrics"]["auc"]["candidate"]
    assert candidate != retrained[1]["metrics"]["auc"]["candidate"]


def test_a_champion_that_cannot_run_is_inconclusive(proposal):
    """Without its bundle nobody knows what to compare with, and the message says what to do."""
    store, cache = proposal.folder / "build/store", proposal.folder / "build/cache"
    store.rename(store.with_name("away"))
    shutil.rmtree(cache)
    objections, evaluation = judged(proposal, 3)
    shutil.rmtree(store, ignore_errors=True)
    store.with_name("away").rename(store)
    assert objections == {"M106 champion"}
    assert "make package" in evaluation["champion"]["error"]


def test_judging_on_rows_the_champion_knows_is_refused(proposal):
    """The month held out is one the champion was trained on."""
    proposal.edit("params.yaml", "last: 2013-07", "last: 2013-05")
    assert "M101 champion" in judged(proposal, 1)[0]


def test_a_leaking_column_is_refused(proposal):
    """The delay at departure, in the newest month: check-data names month and column."""
    code = (
        "import pandas as pd; from data.load import file_of; p = file_of('2013-07'); "
        "d = pd.read_parquet(p); d.assign(dep_delay=60.0 * d.late).to_parquet(p)"
    )
    proposal.python(code)
    proposal.git("commit", "--quiet", "--all", "--message", "Leak")
    done = proposal.mlops("check-data", check=False)
    assert done.returncode == 1
    assert "2013-07: the column(s) 'dep_delay' are not in data.SCHEMA" in done.stderr
    assert proposal.mlops("train", "evaluate", "gate", check=False).returncode == 1
    findings = json.loads((proposal.folder / VERDICT).read_text())["findings"]
    assert [f["rule"] for f in findings if f["verdict"] == "fail"] == ["D101"]


def test_an_outcome_hidden_in_an_allowed_column_is_refused(proposal):
    """The schema cannot see it: the column suspected and the score too good to be true can."""
    leak = 'frame["plane_age"] = (50 * frame["late"]).astype("float32")'
    insert = 'frame.insert(0, "date", date)'
    proposal.edit("data/load.py", insert, f"{insert}\n    {leak}")
    assert {"M109 plane_age", "M110 auc"} <= judged(proposal, 1)[0]


def test_a_slow_fat_model_that_exaggerates_is_refused(proposal):
    """Each by the rule that measures it, on the model as it was really trained."""
    answer = "return model.booster.inplace_predict(encode(columns, model.codes))"
    slow = answer.replace("return", "__import__('time').sleep(0.005)\n    return")
    proposal.edit("model/predict.py", answer, f"{slow} ** 3")
    proposal.edit("params.yaml", "max_depth: 6", "max_depth: 16")
    proposal.edit("params.yaml", "min_child_weight: 50.0", "min_child_weight: 1.0")
    expected = {"M111 size", "M111 p50_ms", "M113 scores"}
    assert expected <= judged(proposal, 1)[0]
