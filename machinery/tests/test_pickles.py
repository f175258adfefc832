"""Pickle is seen in a model's files, by name or content, and nothing else is taken for it."""

import bz2
import gzip
import json
import lzma
import pickle
import random
import zipfile
import zlib

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from mlops.training.pickles import NAMES, pickles
from mlops.training.record import describe_model

ROWS = np.arange(400.0).reshape(100, 4)
ESTIMATOR = LogisticRegression().fit(ROWS, np.arange(100) % 2)
MODEL = {"estimator": ESTIMATOR, "rows": ROWS}
VALUES = {"model": MODEL, "numbers": [1.5, 2.5], "nothing": None, "long text": "x" * 2_000_000}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
OBJECTS = np.array([1, None], dtype=object)


def seen(folder):
    """What shows the one file of a folder to be pickle."""
    (sign,) = pickles(folder).values()
    return sign


@pytest.mark.parametrize(
    ("value", "protocol"),
    # Of protocols 0 and 1 a single long text, which holds no code, is like any text.
    [(v, p) for v in VALUES for p in PROTOCOLS if v != "long text" or p > 1],
)
def test_every_protocol_is_seen(tmp_path, protocol, value):
    """By its content, whatever the name."""
    (tmp_path / "model.bin").write_bytes(pickle.dumps(VALUES[value], protocol))
    assert seen(tmp_path) == "its content"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_joblib_is_seen(tmp_path, protocol):
    """It writes the bytes of arrays between the instructions."""
    joblib.dump(MODEL, tmp_path / "model", protocol=protocol)
    assert seen(tmp_path) == "its content"


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "lzma", "xz"])
def test_compressed_joblib_is_seen(tmp_path, method):
    joblib.dump(MODEL, tmp_path / "model", compress=(method, 3))
    assert seen(tmp_path).startswith("its content, compressed with ") and method in seen(tmp_path)


@pytest.mark.parametrize("suffix", NAMES)
def test_a_name_is_enough(tmp_path, suffix):
    """Whoever reads the folder expects pickle of it."""
    (tmp_path / f"model{suffix.upper()}").write_text("{}", "utf-8")
    assert seen(tmp_path) == f"its name ends in {suffix}"


def write_zip(path, name, content):
    """Write a zip with one member."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)


def test_a_zip_of_torch_is_seen(tmp_path):
    """`torch.save` writes a zip with data.pkl; by another name the content shows it."""
    write_zip(tmp_path / "model.pt", "archive/data.pkl", pickle.dumps(MODEL, 2))
    assert seen(tmp_path) == "archive/data.pkl in it: its name ends in .pkl"
    write_zip(tmp_path / "model.pt", "archive/data", pickle.dumps(MODEL, 2))
    assert seen(tmp_path) == "archive/data in it: its content"


def test_a_zip_in_a_zip_is_seen(tmp_path):
    write_zip(tmp_path / "inner", "data", pickle.dumps(MODEL))
    content = (tmp_path / "inner").read_bytes()
    (tmp_path / "inner").unlink()
    write_zip(tmp_path / "model.zip", "inner", content)
    assert seen(tmp_path) == "inner in it: data in it: its content"


def test_arrays_of_objects_are_seen(tmp_path):
    """NumPy pickles them: alone, as a field, among other arrays, compressed."""
    fields = np.zeros(2, dtype=[("number", "f8"), ("any", "O")])
    np.save(tmp_path / "objects.npy", OBJECTS, allow_pickle=True)
    np.save(tmp_path / "fields.npy", fields, allow_pickle=True)
    np.savez(tmp_path / "some.npz", numbers=ROWS, objects=OBJECTS)
    np.savez_compressed(tmp_path / "small.npz", objects=OBJECTS)
    assert pickles(tmp_path) == {
        "fields.npy": "a NumPy array of Python objects",
        "objects.npy": "a NumPy array of Python objects",
        "small.npz": "objects.npy in it: a NumPy array of Python objects",
        "some.npz": "objects.npy in it: a NumPy array of Python objects",
    }


def words(letters, count):
    """Lines of text that begin with these letters, in turn."""
    return "".join(f"{letters[i % len(letters)]}ity{i}\n" for i in range(count))


INNOCENT = {
    "empty": b"",
    "json": b'{"a": [1, 2.5, null]}',
    "number": b"1.5",
    "list": b"[0, 1]",
    "csv": b"1.5,2.3\n" * 1000,
    "lightgbm": b"tree\nversion=v4\nnum_class=1\n",
    "words in c": words("c", 5000).encode(),
    "words in any letter": words("abcdefghilpstuRNSVIF(", 5000).encode(),
    "codes": "".join(f"I{i}\n" for i in range(5000)).encode(),
    "compressed": gzip.compress(b'{"a": 1}' * 100),
    "zlib": zlib.compress(b'{"a": 1}' * 100),
    "bz2": bz2.compress(b'{"a": 1}' * 100),
    "xz": lzma.compress(b'{"a": 1}' * 100),
    "safetensors": (42).to_bytes(8, "little")
    + b'{"w":{"dtype":"F32","shape":[2],"data":0}}'
    + bytes(8),
    "onnx": b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:\x80\x01\n",
    "begins with 0x80 0x04": b"\x80\x04" + ROWS.tobytes(),
    "broken zip": b"PK\x03\x04" + bytes(100),
    "noise": random.Random(0).randbytes(100_000),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_no_pickle_is_not_taken_for_it(tmp_path, name):
    (tmp_path / "model").write_bytes(INNOCENT[name])
    assert not pickles(tmp_path)


def test_files_of_libraries_are_not_taken_for_it(tmp_path):
    """Arrays of numbers and texts, a frame, an estimator of skops."""
    np.save(tmp_path / "fields.npy", np.zeros(2, dtype=[("O", "f8"), ("text", "<U3")]))
    np.savez(tmp_path / "arrays.npz", numbers=ROWS, texts=np.array(["O", "x"]))
    np.savez_compressed(tmp_path / "small.npz", numbers=ROWS)
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_parquet(tmp_path / "rows.parquet")
    skops.io.dump(ESTIMATOR, tmp_path / "model.skops")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/categories.json").write_text(json.dumps({"a": ["x"]}), "utf-8")
    assert not pickles(tmp_path)


@pytest.mark.example
@pytest.mark.parametrize("name", ["model.ubj", "model.json"])
def test_xgboost_s_files_are_not_taken_for_it(tmp_path, name):
    from xgboost import XGBClassifier

    trees = XGBClassifier(n_estimators=2, n_jobs=1).fit(ROWS, np.arange(100) % 2)
    trees.save_model(tmp_path / name)
    assert not pickles(tmp_path)


def test_many_random_bytes_are_not_taken_for_it(tmp_path):
    """Weights may begin with anything; here with each byte a hundred times."""
    source = random.Random(1)
    for first in range(256):
        for number in range(100):
            path = tmp_path / f"{first}-{number}"
            path.write_bytes(bytes([first]) + source.randbytes(300))
    assert not pickles(tmp_path)


def test_only_a_description_of_a_model_with_pickle_names_it(tmp_path):
    """Without any the record has the keys that it always had."""
    (tmp_path / "model.json").write_text("{}", "utf-8")
    assert describe_model(tmp_path).keys() == {"digest", "bytes", "files"}
    (tmp_path / "more").mkdir()
    (tmp_path / "more/model.joblib").write_bytes(pickle.dumps(MODEL))
    assert describe_model(tmp_path)["pickled"] == {"more/model.joblib": "its name ends in .joblib"}
