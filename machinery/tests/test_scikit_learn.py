"""The model of machinery/docs/scikit-learn.md in the little fork: from its data to answers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from machinery.tests.locks import needed, pins
from machinery.tests.test_fork import ask
from mlops.paths import PARITY_ROW, RECORD

PAGE = Path("machinery/docs/scikit-learn.md")
STEPS = ("check-data", "train", "evaluate", "report", "gate", "package")
# The page predicts a yes or no, the fork an amount.
AMOUNT = (
    ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    ("model.predict_proba(columns)[:, 1]", "model.predict(columns)"),
    ('("auc", "log_loss")', '("mae", "rmse")'),
)
# Some zones are missing, in none of the rows that `package` picks from the newest quarter.
SOME_ZONE = (
    ('pa.Check.isin(["inner", "outer"])', 'pa.Check.isin(["inner", "outer"]), nullable=True'),
    ("    return rows, f", '    rows.loc[rows.index % 12 == 5, "zone"] = None\n    return rows, f'),
)
SERVED = ("scikit-learn", "skops", "pandas")
UNTYPED = """
def predict(model, columns):
    import pandas as pd

    return model.predict(pd.DataFrame(columns))
"""


def page_code():
    """The whole `model/__init__.py` that the page shows."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    return code


@pytest.mark.fast
def test_the_page_needs_forty_lines():
    """Without blank lines, and `save` and `load` in one line each."""
    lines = [line for line in page_code().splitlines() if line.strip()]
    assert len(lines) <= 40
    for function in ("save(model, folder)", "load(folder)"):
        assert re.search(rf"def {re.escape(function)}:\n    \S.*\n\n", page_code())


@pytest.fixture(scope="module")
def with_pipeline(fork):
    """The fork with the page's pipeline in place of its own least squares."""
    return take_pipeline(fork)


def take_pipeline(fork, *changes):
    """Give a fork the page's pipeline, with changes of its code, and return the fork."""
    code = page_code()
    for old, new in (*AMOUNT, *changes):
        assert old in code
        code = code.replace(old, new)
    (fork.folder / "model/__init__.py").write_text(code, "utf-8")
    for old, new in SOME_ZONE:
        fork.edit("data/__init__.py", old, new)
    fork.edit("params.yaml", "model: {ridge: 0.5}", "model: {learning_rate: 0.1}")
    return fork


def lock_for_service(fork, *packages):
    """Let the lock of the fork's service have these packages, and no other that serves a model."""
    path = fork.folder / "requirements-serve.txt"
    everything, served = pins(fork.folder / "requirements.txt"), pins(path)
    for name in (*SERVED, "onnxruntime"):
        served.pop(name, None)  # this may run in a fork that serves one
    served |= {name: everything[name] for package in packages for name in needed(package)}
    path.write_text("".join(served.values()), "utf-8")
    fork.git("commit", "--quiet", "--all", "--allow-empty", "--message", f"Lock {packages}")


def scores(fork, rows):
    """The scores of rows in dev."""
    return [one["score"] for one in ask(fork, rows)["predictions"]]


def conforms(fork):
    """What pytest printed where the conformance tests of the model fail, else nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "machinery/mlops/conformance/test_model.py"]
    options = {"cwd": fork.folder, "env": fork.environment, "capture_output": True, "text": True}
    done = subprocess.run(command, check=False, **options)
    return done.stdout if done.returncode else ""


@pytest.mark.slow
def test_one_that_the_lock_lacks_is_refused_and_one_that_it_has_is_served(with_pipeline):
    """What to add, and where, is told; with it the packed model answers as in process."""
    lock_for_service(with_pipeline)
    refused = with_pipeline.mlops(*STEPS, check=False)
    assert refused.returncode == 2
    # skops imports scikit-learn, whichever of the two is missed first.
    assert re.search(
        "error: The packed model gave no answer: it imports (skops|sklearn), and the lock of the "
        "service has no (skops|scikit-learn). Add (skops|scikit-learn) to the group `serve` in "
        "pyproject.toml, then `make lock`.",
        " ".join(refused.stderr.split()),
    )
    lock_for_service(with_pipeline, *SERVED)
    packaged = with_pipeline.mlops(*STEPS, "promote", "deploy", "--env", "dev")
    assert "twice the same" in packaged.stdout
    assert "50 held-out rows have the same scores as in process." in packaged.stdout
    ride = {"km": 10.0, "zone": "outer", "wait": 5.0}
    rides = [ride, ride | {"wait": None}, ride | {"zone": None}, ride | {"zone": "inner"}]
    together = scores(with_pipeline, rides)
    assert together == pytest.approx([32, 27, 30, 28], abs=2)
    assert [scores(with_pipeline, [one])[0] for one in rides] == together
    assert not conforms(with_pipeline)


@pytest.mark.slow
def test_other_processes_train_the_same_bytes(with_pipeline):
    """Whatever the seed of their hashes."""
    digests = []
    for seed in ("1", "2"):
        with_pipeline.environment["PYTHONHASHSEED"] = seed
        with_pipeline.mlops("train")
        record = json.loads((with_pipeline.folder / RECORD).read_text("utf-8"))
        digests += [record["model"]["digest"], record["training"]["repeat"]]
    del with_pipeline.environment["PYTHONHASHSEED"]
    assert len(digests) == 4 and len(set(digests)) == 1


@pytest.mark.slow
def test_a_frame_without_the_types_of_training_is_refused(with_pipeline):
    """`pd.DataFrame(columns)` of a row without a zone has a None that training never saw."""
    path = with_pipeline.folder / "model/__init__.py"
    before = path.read_text("utf-8")
    lock_for_service(with_pipeline, *SERVED)
    code = before.replace("FRAME = True", "FRAME = False").partition("\ndef predict")[0] + UNTYPED
    path.write_text(code, "utf-8")
    with_pipeline.git("commit", "--quiet", "--all", "--message", "Make the frame by hand")
    try:
        done = with_pipeline.mlops(*STEPS, check=False)
        nonconforming = conforms(with_pipeline)
    finally:
        with_pipeline.git("revert", "--no-edit", "HEAD")
    assert done.returncode == 1, done.stdout
    assert "refused: B101 " in done.stderr
    message = r"1 of 50 held-out rows have other scores when sent alone.*holds.*FRAME = True"
    assert re.search(message, " ".join(done.stderr.split()))
    assert json.loads((with_pipeline.folder / PARITY_ROW).read_text("utf-8"))["zone"] is None
    failed = re.findall(r"^FAILED \S+::(\w+)", nonconforming, re.M)
    assert "test_none_scores_as_a_missing_value_does" in failed
    assert "zone is None, in 1 row(s)" in nonconforming
