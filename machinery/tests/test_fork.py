"""Another team's problem, a regression with other columns, through the machinery as it is."""

import json
import re
import urllib.error
import urllib.request

import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops.gate import waivers
from mlops.paths import RECORD, VERDICT

RIDE = {"km": 10.0, "zone": "outer", "wait": None}


def ask(fork, rows):
    """Ask the service in dev."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{fork.port('dev')}/predict",
        json.dumps({"rows": rows}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=HANG_SECONDS) as response:
        return json.load(response)


@pytest.fixture(scope="module")
def deployed(fork):
    """The fork with its model deployed to dev, from check-data to deploy in one command."""
    steps = "check-data train evaluate report gate package promote deploy"
    fork.mlops(*steps.split(), "--env", "dev")
    return fork


def test_the_service_answers_in_the_fork_s_own_terms(deployed):
    """3 + 2 a kilometre + 4 for the outer zone: about 27."""
    (prediction,) = ask(deployed, [RIDE])["predictions"]
    assert prediction["score"] == pytest.approx(27, abs=0.7)


def test_the_service_refuses_what_the_fork_s_schema_refuses(deployed):
    """A flight's fields mean nothing here, and the message speaks of rides."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(deployed, [RIDE | {"zone": "EWR"}])
    detail = json.load(refused.value)["detail"]
    assert refused.value.code == 400
    assert (detail[0]["field"], detail[0]["allowed"]) == ("rows.0.zone", "inner or outer")


def test_its_metrics_are_judged(deployed):
    """The metrics are those its model/ names, each with an interval."""
    metrics = json.loads((deployed.folder / RECORD).read_text())["evaluation"]["metrics"]
    assert set(metrics) == {"mae", "rmse"}
    assert (
        0.7 < metrics["mae"]["candidate"]["low"] < 0.8 < metrics["mae"]["candidate"]["high"] < 0.9
    )


def test_a_worse_model_is_refused(deployed):
    """An absurd penalty makes every fare wrong, and the bound says so."""
    deployed.edit("params.yaml", "ridge: 0.5", "ridge: 90000")
    done = deployed.mlops("check-data", "train", "evaluate", "gate", check=False)
    deployed.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 1
    assert "fail         M103 mae" in done.stdout


def objections(fork, name, old, new):
    """What the gate has against the fork with one text changed; the change is taken back."""
    fork.edit(name, old, new)
    fork.mlops("check-data", "train", "evaluate", "gate", check=False)
    fork.git("revert", "--no-edit", "HEAD")
    findings = json.loads((fork.folder / VERDICT).read_text())["findings"]
    return {(f["rule"], f["subject"], f["verdict"]) for f in findings if f["verdict"] != "pass"}


def test_scores_that_are_no_numbers_are_refused(deployed):
    """A model that forgets missing values gives NaN, and no metric of it is believed."""
    found = objections(deployed, "model/__init__.py", "np.nan_to_num", "np.array")
    assert ("M102", "mae", "fail") in found


def test_a_model_worse_than_a_constant_is_refused(deployed):
    """Fares with the wrong sign lose against the median."""
    found = objections(
        deployed,
        "model/__init__.py",
        "return _matrix(columns) @ model",
        "return -1.0 * _matrix(columns) @ model",
    )
    assert ("M104", "mae", "fail") in found


def test_two_groups_are_too_few_to_judge_by(deployed):
    """With rows grouped by zone there are two, and no interval over two is worth a verdict."""
    found = objections(deployed, "params.yaml", "gate:", "gate:\n  cluster: zone")
    assert found == {("M105", "zone", "inconclusive"), ("M108", "zone", "inconclusive")}


def test_a_split_that_is_not_by_time_is_refused(deployed):
    """The quarters named in another order: what is held out is earlier than what is trained on."""
    found = objections(
        deployed, "data/__init__.py", '["q1", "q2", "q3", "q4"]', '["q2", "q3", "q4", "q1"]'
    )
    assert ("M101", "candidate", "fail") in found


def test_a_model_made_otherwise_each_time_is_refused(deployed):
    """Noise that follows no seed: the second training gives another digest."""
    found = objections(
        deployed,
        "model/__init__.py",
        "return np.linalg.solve(",
        "return np.random.default_rng().normal(0, 1e-6, 4) + np.linalg.solve(",
    )
    assert found == {("M112", "model", "fail")}


SAVED = '(folder / "coefficients.json").write_text(json.dumps(model.tolist()))'
STAMPED = f"{SAVED}\n    (folder / 'id').write_text(str(np.random.default_rng().random()))"
PICKLED = f"{SAVED}\n    np.save(folder / 'more', np.array([{{}}]), allow_pickle=True)"


def test_a_save_that_writes_other_bytes_each_time_is_to_blame(deployed):
    """The two models score alike; only their files differ."""
    found = objections(deployed, "model/__init__.py", SAVED, STAMPED)
    assert found == {("M112", "model", "fail")}
    findings = json.loads((deployed.folder / VERDICT).read_text())["findings"]
    (message,) = (one["message"] for one in findings if one["rule"] == "M112")
    assert "it is `save` in model/" in message


WAIVER = "[{rule: M114, reason: Only we load it., by: Ada, until: 2999-01-01}]"


def test_a_model_with_pickle_is_refused(deployed):
    """By the gate, unless waived; the package refuses what a gate without that rule let pass."""
    deployed.edit("model/__init__.py", SAVED, PICKLED)
    judged = deployed.mlops("check-data", "train", "evaluate", "gate", check=False)
    (deployed.folder / waivers.WAIVERS).write_text(WAIVER, "utf-8")
    deployed.git("commit", "--quiet", "--all", "--message", "Waive M114")
    waived = deployed.mlops("gate", "package")
    unjudged = without_its_pickles(deployed).mlops("gate", "package", check=False)
    deployed.git("revert", "--no-edit", "HEAD", "HEAD~1")
    assert judged.returncode == unjudged.returncode == 1
    assert "fail         M114 more.npy: It is pickle (a NumPy array of Pyth" in judged.stdout
    assert "waived       M114 more.npy: " in waived.stdout and "PASS" in waived.stdout
    assert "gate        PASS" in unjudged.stdout
    assert "refused: M114 " in unjudged.stderr and "more.npy in build/models/" in unjudged.stderr


def without_its_pickles(fork):
    """The fork with a record as a machinery without M114 wrote it."""
    record = json.loads((fork.folder / RECORD).read_text("utf-8"))
    del record["model"]["pickled"]
    (fork.folder / RECORD).write_text(json.dumps(record), "utf-8")
    return fork


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("return rows[rows['km'] > 99 * (number == 3)], f", "D101 .*\n  q4: there are no rows"),
        ("return rows[rows['km'] > 15 * (number == 3)], f", "D102 .*\n  q4: 1.. rows, between 300"),
    ],
    ids=["empty", "mostly lost"],
)
def test_a_quarter_that_is_not_whole_is_refused(deployed, new, message):
    """The rule and the quarter are named, and nothing is trained."""
    deployed.edit("data/__init__.py", "return rows, f", new)
    done = deployed.mlops("check-data", "train", check=False)
    deployed.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 1
    assert re.search(message, done.stderr) and "train" not in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        (
            "pa.Column(float, pa.Check.in_range(0, 100)",
            'pa.Column("int8", pa.Check.in_range(0, 100)',
            1,
            "q1: km is float64 here and int8 in data.SCHEMA. Convert it in data.load",
        ),
        (
            'TIME = "at"',
            'TIME = "day"',
            2,
            "TIME names the column 'day', which data.SCHEMA does not",
        ),
        (
            "pa.Check.in_range(0, 100)",
            "pa.Check.in_range(0, 10, raise_warning=True)",
            2,
            "a check of km has raise_warning=True. A warning refuses no row",
        ),
        (
            "pa.Check.in_range(0, 100)",
            "pa.Check.notin([0])",
            2,
            "the service cannot apply the check 'notin' of 'km' to single rows",
        ),
        (
            "    return rows, f",
            '    rows["old"] = rows["km"].astype("double[pyarrow]")\n    return rows, f',
            2,
            "data.load('q1') returned columns with types of Arrow: old (double[pyarrow])",
        ),
        ('TARGET = "fare"', 'TARGET = "zone"', 2, "q1: TARGET names zone, which holds str"),
    ],
    ids=["type", "name", "warning", "check", "arrow", "part"],
)
def test_a_mistake_about_a_column_is_told_before_anything_is_trained(
    deployed, old, new, code, told
):
    """What it is, what was asked for, and what to do."""
    deployed.edit("data/__init__.py", old, new)
    done = deployed.mlops("check-data", check=False)
    deployed.git("revert", "--no-edit", "HEAD")
    assert done.returncode == code
    assert told in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("margins: {mae", "margins: {MAE", "gate.margins names 'MAE', .* Did you mean 'mae'"),
        ("bounds: {mae: 1.5}", "bounds: {mae: 1.5, auc: 1}", "gate.bounds .* can name mae, rmse;"),
        ("gate:", "gate:\n  cluster: zones", "gate.cluster .* Did you mean 'zone'"),
        ("gate:", "check: {may_freeze: [zones]}\ngate:", "may_freeze .* Did you mean 'zone'"),
        ("gate:", "check: {max_unseen: {zones: 0.1}}\ngate:", "max_unseen .* Did you mean 'zone'"),
    ],
    ids=["metric", "other metric", "column", "frozen column", "column of a share"],
)
def test_a_name_misspelt_in_params_is_told_before_anything_is_trained(deployed, old, new, told):
    """With what it can name: the gate would find it only after training."""
    deployed.edit("params.yaml", old, new)
    done = deployed.mlops("check-data", check=False)
    deployed.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 2
    assert re.search(told, done.stderr) and "Traceback" not in done.stderr


def test_machinery_was_not_touched(deployed):
    """All of the fork's commits change data, model, parameters and environments only."""
    names = deployed.git("log", "--name-only", "--format=", "--invert-grep", "--grep=^Begin$")
    assert [n for n in names.splitlines() if n.startswith("mlops/")] == []
