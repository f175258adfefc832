"""Training: what it leaves is of one piece, whoever kills it, and is judged as it was made."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from mlops.files import digest_folder
from mlops.paths import MODELS, RECORD

# `train`, dying just before or after the function named is called for the first time.
DRIVER = """
import os, signal, sys
import model
from mlops import cli

when, name = sys.argv[1:]
owner = os if hasattr(os, name) else model
original = getattr(owner, name)

def dying(*arguments, **options):
    if when == "after":
        original(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dying)
cli.main(["train"])
"""
# The model is fitted and saved aside; its folder is renamed; it is made again; the record is
# written aside and replaces the old one.
OLD = [("before", "train"), ("after", "save"), ("after", "rename"), ("before", "replace")]
NEW = ("after", "replace")


@pytest.fixture(scope="module")
def trained(fork):
    """The fork with a model that was trained."""
    fork.mlops("train")
    return fork


@pytest.fixture
def proposal(trained, tmp_path):
    """A branch for a change, left again after the test, with what was trained before."""
    trained.git("checkout", "--quiet", "-B", "proposal")
    build, kept = trained.folder / "build", tmp_path / "build"
    shutil.copytree(build, kept)
    yield trained
    trained.git("checkout", "--quiet", "--force", "main")
    shutil.rmtree(build)
    shutil.copytree(kept, build)


def recorded(fork):
    """The record as it is, without its cost."""
    record = json.loads((fork.folder / RECORD).read_text("utf-8"))
    return {key: value for key, value in record.items() if key != "cost"}


def killed(fork, when, name):
    """Train until the moment comes; return the digest in the record and that of its model."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, when, name],
        cwd=fork.folder,
        env=fork.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    told = recorded(fork)["model"]["digest"]
    return told, digest_folder(fork.folder / MODELS / told.removeprefix("sha256:"))


def test_changing_the_data_after_training_is_noticed(proposal):
    """The held-out rows are those of the record, by their fingerprint."""
    noise = "random.normal(0, 1, 600)"
    proposal.edit("data/__init__.py", noise, noise.replace("1,", "1 + (number == 3),"))
    done = proposal.mlops("evaluate", check=False)
    assert done.returncode == 2
    assert "held-out partition(s) q4 changed since training" in done.stderr


def test_changing_the_params_after_training_is_noticed(proposal):
    """A model is judged under the parameters it was trained with."""
    proposal.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    done = proposal.mlops("evaluate", check=False)
    assert done.returncode == 2
    assert "`model` is no longer what the model was trained with" in done.stderr


def test_training_twice_gives_the_same_record(trained):
    """All of it but its cost."""
    before = recorded(trained)
    trained.mlops("train")
    assert recorded(trained) == before


@pytest.mark.slow
def test_a_killed_training_loses_nothing(proposal):
    """Killed at any moment, the record and the model it names are whole; training again works."""
    before = recorded(proposal)["model"]["digest"]
    proposal.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    for when, name in OLD:
        assert killed(proposal, when, name) == (before, before)
    told, found = killed(proposal, *NEW)
    assert told == found != before
    proposal.mlops("train", "evaluate")
    assert recorded(proposal)["model"]["digest"] == told
