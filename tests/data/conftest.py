"""What the tests of the data share: a month of rows, and a copy of the partitions to damage."""

import importlib
import shutil

import pytest

import data


@pytest.fixture(scope="session")
def january():
    """The rows of January 2013 as `load` returns them; copy before changing them."""
    return data.load("2013-01")[0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the first three partitions, from which `load` reads."""
    # `data.load` is the function; the module of that name is only found by import_module.
    module = importlib.import_module("data.load")
    copy = tmp_path / "data" / "partitions"
    copy.mkdir(parents=True)
    for name in ("2013-01", "2013-02", "2013-03"):
        shutil.copy(module.file_of(name), copy)
    monkeypatch.setattr(module, "FOLDER", copy)
    return copy
