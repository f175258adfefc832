"""Equal models of scikit-learn are equal files of skops, in every process."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
import skops.io

from mlops import PACKAGE
from mlops.errors import UserError
from mlops.training.skops_file import rewrite

# Fits some estimators, saves each in a folder, rewrites it, and prints what each file predicts.
CODE = """
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from mlops.training.skops_file import rewrite

random = np.random.default_rng(0)
numbers = random.normal(size=(200, 3))
late = (numbers[:, 0] + random.normal(size=200) > 0).astype(int)
texts = [" ".join(random.choice(["a", "red", "car", "the", "bus"], 4)) for _ in range(200)]
frame = pd.DataFrame({"km": numbers[:, 1], "zone": random.choice(["in", "out", None], 200)})
frame.loc[::7, "km"] = None
columns = make_column_transformer(
    (SimpleImputer(), ["km"]), (OneHotEncoder(sparse_output=False), ["zone"])
)
words = {"seen": set(texts[0].split()), "never": frozenset({"of", "or", "an"})}
kept = FunctionTransformer(None, kw_args={"within": {frozenset({"x", "y", "z"}), frozenset("uv")}})
estimators = {
    "tfidf": (make_pipeline(TfidfVectorizer(stop_words="english"), LogisticRegression()), texts),
    "trees": (make_pipeline(columns, HistGradientBoostingClassifier(random_state=0)), frame),
    "forest": (RandomForestClassifier(5, random_state=0), numbers),
    "svc": (make_pipeline(StandardScaler(), SVC()), numbers),
    "neighbours": (KNeighborsClassifier(), numbers),
    "sets": (LogisticRegression(class_weight={0: 1.0, 1: 2.0}), numbers),
}
estimators["sets"][0].words = [words, kept, b"bytes"]
predicted = {}
for name, (estimator, rows) in estimators.items():
    folder = Path(sys.argv[1], name)
    folder.mkdir(parents=True)
    path = folder / "model.skops"
    skops.io.dump(estimator.fit(rows, late), path)
    rewrite(folder)
    loaded = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    assert (loaded.predict(rows) == estimator.predict(rows)).all(), name
    if name == "sets":
        assert loaded.words[0] == words and loaded.words[2] == b"bytes"
        assert loaded.words[1].kw_args == kept.kw_args
    predicted[name] = loaded.predict(rows).tolist()
print(json.dumps(predicted))
"""
MACHINERY = str(PACKAGE.parent)
ESTIMATORS = ("tfidf", "trees", "forest", "svc", "neighbours", "sets")


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The folders that two processes with other seeds of their hashes saved the estimators in."""
    folders = []
    for seed in ("1", "2"):
        folders.append(tmp_path_factory.mktemp("saved"))
        subprocess.run(
            [sys.executable, "-c", CODE, folders[-1]],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": MACHINERY},
            check=True,
        )
    return folders


@pytest.mark.parametrize("name", ESTIMATORS)
def test_two_processes_write_the_same_bytes(twice, name):
    """Addresses, times and the order of sets are gone; what is loaded predicts alike (in CODE)."""
    first, second = ((folder / name / "model.skops").read_bytes() for folder in twice)
    assert first == second


@pytest.mark.parametrize("name", ESTIMATORS)
def test_rewriting_again_changes_nothing(twice, name):
    path = twice[0] / name / "model.skops"
    before = path.read_bytes()
    rewrite(path.parent)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["model.skops"]


def test_without_it_the_bytes_differ(tmp_path):
    """skops writes the address of each object: two objects, two files."""
    saved = [skops.io.dumps(value) for value in ([1.5, "a"], [1.5, "a"])]
    for number, content in enumerate(saved):
        (tmp_path / f"{number}.skops").write_bytes(content)
    rewrite(tmp_path)
    rewritten = [path.read_bytes() for path in tmp_path.iterdir()]
    assert saved[0] != saved[1] and rewritten[0] == rewritten[1]


def test_what_is_shared_stays_shared_and_what_differs_stays_different(tmp_path):
    """An object that two attributes name is one after loading; equal ones of their own are two."""
    shared = [1]
    value = {"one": shared, "same": shared, "equal": [1], "user_id": 7, "__id__": 5, "file": "a"}
    (tmp_path / "model.skops").write_bytes(skops.io.dumps(value))
    rewrite(tmp_path)
    loaded = skops.io.load(tmp_path / "model.skops")
    assert loaded == value
    assert loaded["one"] is loaded["same"] and loaded["one"] is not loaded["equal"]


def test_a_larger_model_has_other_bytes(tmp_path):
    """Nothing of a model is left out."""
    for name, value in (("a", [1.0]), ("b", [2.0]), ("c", [1.0, 1.0]), ("d", {1.0})):
        (tmp_path / f"{name}.skops").write_bytes(skops.io.dumps(value))
    rewrite(tmp_path)
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 4


def zipped(**members):
    """A function that writes a zip with these members, extensions added."""

    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in members.items():
                archive.writestr(f"{name}.json", text)

    return write


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("no zip", "utf-8"),
        zipped(other="{}"),
        zipped(schema="{"),
        zipped(schema="[1]"),
        zipped(schema=json.dumps({"__loader__": "BytesNode", "file": "gone.bin"})),
    ],
    ids=["no zip", "no schema", "no JSON", "no object", "a member is missing"],
)
def test_a_file_that_is_not_of_skops_is_named(tmp_path, write):
    """With what is wrong, how to write one, and the way out; nothing else is left behind."""
    write(tmp_path / "model.skops")
    with pytest.raises(UserError, match=r"^model.save wrote model.skops, .*skops.io.dump\(model, "):
        rewrite(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.skops"]


def test_files_of_other_names_are_left_alone(tmp_path):
    (tmp_path / "model.json").write_text("{}", "utf-8")
    rewrite(tmp_path)
    assert (tmp_path / "model.json").read_text("utf-8") == "{}"
