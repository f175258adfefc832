"""The doctor sees a cluster that cannot find this repository, or that `deploy` cannot find."""

import pytest

from mlops.doctor.clusters import clusters
from mlops.doctor.findings import State


@pytest.fixture
def look(clone):
    """What the doctor says after these edits of files below environments/."""

    def found(*edits):
        for file, old, new in edits:
            clone.edit(f"environments/{file}", old, new)
        return list(clusters(None))

    return found


CHOSEN = ("staging/settings.yaml", "target: local", "target: kubernetes")
REACHED = ("staging/settings.yaml", "example.com", "my-example.com")
FLUX = ("flux/repository.yaml", "OWNER/REPOSITORY", "team/churn")


def test_nothing_is_said_where_no_environment_is_a_cluster_s(look):
    assert not look()


def test_nobody_was_told_where_git_is(look):
    (found,) = look(CHOSEN, REACHED)
    assert found.state is State.BAD and "name no repository" in found.found


def test_an_address_nobody_filled_in(look):
    (found,) = look(CHOSEN, FLUX)
    assert found.found == "environments/staging/settings.yaml: kubernetes.url is the template's"


def test_all_is_filled_in(look):
    """One of the two readers is enough."""
    (found,) = look(CHOSEN, REACHED, FLUX)
    assert found.state is State.OK and found.found == "staging can be read and asked"
