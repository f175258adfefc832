"""The workflows are executed, on throw-away repositories and a GitHub made of folders.

`repository` is a small copy of this tree with the little regression of tests/mlops/fork; its method
`act` lets an event happen to one of its workflows, on this machine. What `uses:` names is played by
standins/, which carry real files, artifacts and commits.
"""

import pytest

from tests.workflows.repositories import begin, copy


@pytest.fixture(scope="session")
def seed(tmp_path_factory):
    """The repository all others are copies of."""
    return begin(tmp_path_factory.mktemp("seed"))


@pytest.fixture
def repository(seed, tmp_path):
    """A repository of one's own."""
    return copy(seed, tmp_path / "home")


@pytest.fixture(scope="module")
def shared(seed, tmp_path_factory):
    """A repository that the tests of a module share."""
    return copy(seed, tmp_path_factory.mktemp("shared") / "home")
