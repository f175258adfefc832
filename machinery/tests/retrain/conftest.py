"""A fork whose production runs a model judged on q3, while q4 is there and not yet adopted."""

import shutil

import pytest

BUILD = ("check-data", "train", "evaluate", "gate", "package")
ENVIRONMENTS = ("dev", "staging", "production")


@pytest.fixture(scope="module")
def shipped(fork):
    """The fork with a model of q1 and q2 in production."""
    # What retraining does has nothing to do with load, so no evidence about load is asked for.
    policy = fork.folder / "environments/production/policy.yaml"
    policy.write_text("from: staging\nevidence: [{kind: gate, environment: build}]\n", "utf-8")
    fork.edit("params.yaml", "data: {}", "data: {last: q3}  # the newest quarter in use")
    fork.mlops(*BUILD)
    for name in ENVIRONMENTS:
        fork.mlops("promote", "--env", name)
    return fork


@pytest.fixture
def shop(shipped, tmp_path):
    """A copy of it for one test."""
    shutil.copytree(shipped.folder, tmp_path / "shop")
    return type(shipped)(tmp_path / "shop")


@pytest.fixture
def state(shop):
    """Returns what a retraining must leave as it is: HEAD, index, files, worktrees."""

    def of():
        return (
            shop.git("rev-parse", "--abbrev-ref", "HEAD"),
            shop.git("rev-parse", "HEAD"),
            shop.git("write-tree"),
            shop.git("status", "--porcelain"),
            shop.git("worktree", "list", "--porcelain"),
        )

    return of


@pytest.fixture
def proposals(shop):
    """Returns the names of the branches below retrain/."""

    def of():
        return shop.git("for-each-ref", "--format=%(refname:short)", "refs/heads/retrain").split()

    return of
