"""Exactly the differences between champion and candidate are reported."""

import copy
import subprocess

import pytest

from mlops.training import record
from mlops.training.provenance import Difference, code_changes, differences, origin

RECORD = {
    "format": 1,
    "source": {"commit": "c" * 40, "changed": ["README.md", "model/train.py", "data/rows.parquet"]},
    "data": {
        "train": {
            "partitions": ["a", "b"],
            "fingerprints": {"a": "1", "b": "2"},
            "rows": 2,
            "first": "2020",
            "last": "2021",
        },
        "holdout": {"partitions": ["c"], "fingerprints": {"c": "3"}},
    },
    "params": {
        "values": {"store": "s", "serve": {"x": 1}, "gate": {"bounds": {"auc": 0.6}}, "model": {}}
    },
    "environment": {"python": "3.12", "platform": "Linux", "libraries": {"numpy": "2"}},
    "training": {"device": {"wanted": "auto", "effective": "cpu"}},
}


@pytest.fixture
def champion():
    """A champion from the same inputs, all committed."""
    return origin(RECORD) | {"not_committed": []}


@pytest.fixture
def candidate():
    """The same as the champion, until a test changes it."""
    return copy.deepcopy(origin(RECORD)) | {"not_committed": []}


def test_nothing_differs(champion, candidate):
    """Equal origins have no difference."""
    assert differences(champion, candidate, []) == []


def test_only_code_counts_as_not_committed():
    """Pages and rows are not listed as code."""
    assert origin(RECORD)["not_committed"] == ["model/train.py"]


PROJECT = """
[project]
dependencies = [
    "mlops-machinery[steps]", "scikit_learn>=1.7", "no-such-package; sys_platform == 'darwin'"
]
[dependency-groups]
serve = ["mlops-machinery", "Skops==0.16.0", {include-group = "more"}]
more = ["joblib"]
"""


def test_an_upgrade_of_what_pyproject_names_is_a_difference(monkeypatch, tmp_path):
    """What the team depends on and what its service imports, by the names that the lock has."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT, "utf-8")
    installed = record.environment()["libraries"]
    assert set(installed) == {"bentoml", "numpy", "pandas", "scikit-learn", "skops"}
    older = installed | {"skops": "0.15.0"}
    candidate, champion = (
        origin(RECORD | {"environment": RECORD["environment"] | {"libraries": libraries}})
        for libraries in (installed, older)
    )
    assert differences(champion, candidate, []) == [
        Difference("code", "model/train.py", None, "not committed"),
        Difference("version", "skops", "0.15.0", installed["skops"]),
    ]


def test_without_a_project_the_machinery_s_own_libraries_are_recorded(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert set(record.environment()["libraries"]) == {"bentoml", "numpy", "pandas"}


def test_params_that_do_not_determine_a_model_are_left_out():
    """Changes of store and service are no difference."""
    assert set(origin(RECORD)["params"]) == {"train", "model", "evaluate", "gate"}


def test_partitions(champion, candidate):
    """Added, left out, and rewritten, even if the champion only held it out."""
    candidate["data"]["partitions"] = ["b", "c"]
    candidate["fingerprints"] = {"b": "2", "c": "other"}
    assert differences(champion, candidate, []) == [
        Difference("partition", "c", None, "added"),
        Difference("partition", "a", None, "left out"),
        Difference("partition", "c", None, "rewritten"),
    ]


def test_values_by_dotted_key(champion, candidate):
    """A value that changed, and one that is new."""
    candidate["params"]["gate"] = {"bounds": {"auc": 0.7, "brier": None}}
    candidate["versions"]["device"] = "cuda:0"
    assert differences(champion, candidate, None) == [
        Difference("parameter", "gate.bounds.auc", "0.6", "0.7"),
        Difference("parameter", "gate.bounds.brier", None, "null"),
        Difference("version", "device", "cpu", "cuda:0"),
    ]


def test_a_record_of_another_format_is_not_read():
    """Whatever its content."""
    assert origin({"format": 2}) is None


@pytest.fixture
def commits(tmp_path, monkeypatch):
    """Two commits in a real repository, of code and other files."""

    def git(*arguments):
        done = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(files):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
        git("add", ".")
        git("commit", "--quiet", "--message", "x")
        return git("rev-parse", "HEAD")

    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    same = {"model/b.py": b"", "data/load.py": b"1\n"}
    return (
        commit({**same, "model/train.py": b"1\n2\n3\n", "README.md": b"", "data/x.parquet": b""}),
        commit({"model/train.py": b"1\n4\n", "README.md": b"new", "data/x.parquet": b"\0\n"}),
        commit({"model/w\tx.bin": b"\0\n", "data/load.py": b"2\n"}),
    )


def test_code_between_commits(commits):
    """Only the team's code, with line counts; a binary file has none."""
    first, second, third = commits
    train = {"file": "model/train.py", "added": 1, "removed": 2}
    assert code_changes(first, second) == [train]
    load = {"file": "data/load.py", "added": 1, "removed": 1}
    binary = {"file": "model/w\\tx.bin", "added": None, "removed": None}
    assert code_changes(first, third) == [load, train, binary]
    assert code_changes(third, third) == []


def test_a_commit_that_is_not_here(commits):
    """A shallow clone has the newest commit only."""
    assert code_changes("0" * 40, commits[0]) is None
    assert code_changes(commits[0], "0" * 40) is None
