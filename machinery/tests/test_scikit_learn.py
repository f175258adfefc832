"""A model of scikit-learn in the little fork, from the check of its data to an answer over HTTP."""

import json
import re
import urllib.request
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

STEPS = ("check-data", "train", "evaluate", "report", "gate", "package")
TRAINED = (
    "    return np.linalg.solve(matrix.T @ matrix + params.ridge * np.eye(4), matrix.T @ target)\n"
)
SAVED = "json.dumps(model.tolist())"
LOADED = 'np.array(json.loads((folder / "coefficients.json").read_text()))'
PREDICTED = "_matrix(columns) @ model"
PIPELINE = """

def _pipeline(ridge):
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(alpha=ridge))


def _learned(model):
    scaler, line = model[0], model[1]
    return {
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
        "coef": line.coef_.tolist(),
        "intercept": float(line.intercept_),
    }


def _pipeline_of(learned):
    model = _pipeline(0.0)
    model[0].mean_, model[0].scale_ = np.array(learned["mean"]), np.array(learned["scale"])
    model[1].coef_, model[1].intercept_ = np.array(learned["coef"]), learned["intercept"]
    return model
"""


@pytest.fixture(scope="module")
def with_pipeline(fork):
    """The fork with a pipeline of scikit-learn in place of its own least squares."""
    path = fork.folder / "model/__init__.py"
    code = path.read_text("utf-8")
    for old, new in (
        (TRAINED, "    return _pipeline(params.ridge).fit(matrix, target)\n"),
        (SAVED, "json.dumps(_learned(model))"),
        (LOADED, '_pipeline_of(json.loads((folder / "coefficients.json").read_text()))'),
        (PREDICTED, "model.predict(_matrix(columns))"),
    ):
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    path.write_text(code + PIPELINE, "utf-8")
    fork.git("commit", "--quiet", "--all", "--message", "Take a pipeline of scikit-learn")
    return fork


def needed(package):
    """The names of a package and of all that it installs."""
    asked = [Requirement(text) for text in requires(package) or ()]
    at_once = [one.name for one in asked if not one.marker or one.marker.evaluate({"extra": ""})]
    return {package}.union(*map(needed, at_once))


def pins(lock):
    """The lines of a lock by the name of their package."""
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text("utf-8"), flags=re.M)[1:]
    return {block.partition("==")[0]: block for block in blocks}


@pytest.mark.slow
def test_one_that_the_lock_lacks_is_refused_and_one_that_it_has_is_served(with_pipeline):
    """What to add, and where, is told; with it the packed model answers as in process."""
    path = with_pipeline.folder / "requirements-serve.txt"
    everything, served = pins(with_pipeline.folder / "requirements.txt"), pins(path)
    served.pop("scikit-learn", None)  # this may run in a fork that serves one
    path.write_text("".join(served.values()), "utf-8")
    with_pipeline.git("commit", "--quiet", "--all", "--message", "Lock no scikit-learn")
    refused = with_pipeline.mlops(*STEPS, check=False)
    assert refused.returncode == 2
    assert (
        "error: The packed model gave no answer: it imports sklearn, and the lock of the service "
        "has no scikit-learn. Add scikit-learn to the group `serve` in pyproject.toml, then "
        "`make lock`." in " ".join(refused.stderr.split())
    )
    served |= {name: everything[name] for name in needed("scikit-learn")}
    path.write_text("".join(served.values()), "utf-8")
    with_pipeline.git("commit", "--quiet", "--all", "--message", "Lock scikit-learn")
    packaged = with_pipeline.mlops(*STEPS, "promote", "deploy", "--env", "dev")
    assert "50 held-out rows have the same scores as in process." in packaged.stdout
    request = urllib.request.Request(
        f"http://127.0.0.1:{with_pipeline.port('dev')}/predict",
        json.dumps({"rows": [{"km": 10.0, "zone": "outer", "wait": None}]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        (prediction,) = json.load(response)["predictions"]
    assert prediction["score"] == pytest.approx(27, abs=0.7)
