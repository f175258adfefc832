"""Training: its results are consistent even if it is killed, and later changes are detected."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from mlops.files import digest_folder
from mlops.paths import MODELS, RECORD

# `train`, killed just before or after the first call of a function.
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
# The steps in order: fit, save to a temporary folder, rename it, fit again, write the record to a
# temporary file, replace the old record.
OLD = [("before", "train"), ("after", "save"), ("after", "rename"), ("before", "replace")]
NEW = ("after", "replace")


@pytest.fixture(scope="module")
def trained(fork):
    """The fork with a trained model."""
    fork.mlops("train")
    return fork


@pytest.fixture
def proposal(trained, tmp_path):
    """A temporary branch with a trained model; the test's changes are removed afterwards."""
    trained.git("checkout", "--quiet", "-B", "proposal")
    build, saved = trained.folder / "build", tmp_path / "build"
    shutil.copytree(build, saved)
    yield trained
    trained.git("checkout", "--quiet", "--force", "main")
    shutil.rmtree(build)
    shutil.copytree(saved, build)


def recorded(fork):
    """The record without its cost."""
    record = json.loads((fork.folder / RECORD).read_text("utf-8"))
    return {key: value for key, value in record.items() if key != "cost"}


def killed(fork, when, name):
    """Train until the kill; return the digest in the record and the digest of its model."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, when, name],
        cwd=fork.folder,
        env=fork.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    recorded_digest = recorded(fork)["model"]["digest"]
    return recorded_digest, digest_folder(
        fork.folder / MODELS / recorded_digest.removeprefix("sha256:")
    )


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
    assert "`model` changed since training" in done.stderr


def test_training_twice_gives_the_same_record(trained):
    """All of it except its cost."""
    before = recorded(trained)
    trained.mlops("train")
    assert recorded(trained) == before


@pytest.mark.slow
def test_a_killed_training_loses_nothing(proposal):
    """After a kill at any moment record and model are consistent, and training works again."""
    before = recorded(proposal)["model"]["digest"]
    proposal.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    for when, name in OLD:
        assert killed(proposal, when, name) == (before, before)
    digest, actual = killed(proposal, *NEW)
    assert digest == actual != before
    proposal.mlops("train", "evaluate")
    assert recorded(proposal)["model"]["digest"] == digest
