"""Scoring a file of rows with the code and the model of a bundle."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mlops.errors import UserError
from mlops.releases import bundle
from mlops.releases.champion import Champion


@pytest.fixture
def score(unpacked, tmp_path):
    """A function that scores a frame with the bundle; returns the process and the scores' path."""

    def run(frame, unpacked=unpacked):
        rows, scores = tmp_path / "rows.parquet", tmp_path / "scores.npy"
        frame.to_parquet(rows)
        command = [sys.executable, "-m", "mlops.serving.score", rows, scores]
        done = subprocess.run(
            command, cwd=unpacked / "src", text=True, capture_output=True, check=False
        )
        return done, scores

    return run


@pytest.fixture
def frame():
    """Rows as data.load returns them: with columns that are no features, in another order."""
    values = {"late": [0, 1], "town": ["ABC", "NEW"], "kind": [None, "a"], "color": ["red"] * 2}
    return pd.DataFrame({**values, "weight": [1.5, None], "size": [5, 6]})


def test_the_scores_are_those_of_the_service(score, frame, client):
    """Evaluation and service use the same code."""
    done, scores = score(frame)
    assert done.returncode == 0, done.stderr
    features = frame.drop(columns="late").astype(object)
    rows = features.where(features.notna(), None).to_dict("records")
    answered = client.post("/predict", json={"rows": rows}).json()["predictions"]
    assert np.load(scores).tolist() == [one["score"] for one in answered]


def test_a_missing_column_is_named_in_one_line(score, frame):
    """A newer schema may lack columns that an older champion needs."""
    done, scores = score(frame.drop(columns=["size", "kind"]))
    assert done.returncode == 2 and not scores.exists()
    assert done.stderr.endswith("lacks size, kind, which this model needs.\n")
    assert done.stderr.count("\n") == 1


def test_a_champion_that_fails_shows_where(unpacked, frame, packaged_once, tmp_path, monkeypatch):
    """The way through its own code, which is not the code that is here."""
    old = shutil.copytree(unpacked, tmp_path / "bundle")
    with (old / "src/model/__init__.py").open("a", encoding="utf-8") as file:
        file.write("def _size(columns):\n    return columns['length']\n")
        file.write("def predict(model, columns):\n    return _size(columns)\n")
    monkeypatch.setattr(bundle, "fetch", lambda store, digest: old)
    release = SimpleNamespace(spec=packaged_once.release)
    with pytest.raises(UserError) as refused:
        Champion(release).score(frame, store=None)
    first, *traced = str(refused.value).splitlines()
    assert first == "its code failed: KeyError: 'length'." and traced[-1] == "KeyError: 'length'"
    assert traced[0].endswith(", in predict") and "    return columns['length']" in traced


def test_a_library_that_aborts_at_exit_changes_no_verdict(score, frame, unpacked, tmp_path):
    """Arrow does so once in thirty times on a busy machine; the champion would seem broken."""
    bundle = shutil.copytree(unpacked, tmp_path / "bundle")
    with (bundle / "src/model/__init__.py").open("a", encoding="utf-8") as file:
        file.write("import ctypes\nlibc = ctypes.CDLL(None)\nlibc.on_exit(libc.abort, None)\n")
    done, scores = score(frame, bundle)
    assert done.returncode == 0 and len(np.load(scores)) == 2
