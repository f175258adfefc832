"""The doctor sees a cluster that cannot find this repository, or that `deploy` cannot find."""

import pytest

from mlops.doctor.clusters import clusters
from mlops.doctor.findings import State


@pytest.fixture
def look(clone):
    """The findings of the doctor after these edits of files below environments/."""

    def finding(*edits):
        for file, old, new in edits:
            clone.edit(f"environments/{file}", old, new)
        return list(clusters(None))

    return finding


CHOSEN = ("staging/settings.yaml", "target: local", "target: kubernetes")
REACHED = ("staging/settings.yaml", "example.com", "my-example.com")
FLUX = ("flux/repository.yaml", "OWNER/REPOSITORY", "team/churn")


def test_nothing_is_reported_where_no_environment_is_a_cluster_s(look):
    assert not look()


def test_the_repository_of_git_is_not_set(look):
    (finding,) = look(CHOSEN, REACHED)
    assert finding.state is State.BAD and "name no repository" in finding.observed


def test_an_address_nobody_filled_in(look):
    (finding,) = look(CHOSEN, FLUX)
    assert (
        finding.observed == "environments/staging/settings.yaml: kubernetes.url is the template's"
    )


def test_all_is_filled_in(look):
    """One of the two readers is enough."""
    (finding,) = look(CHOSEN, REACHED, FLUX)
    assert (
        finding.state is State.OK
        and finding.observed == "staging: the addresses of Git and of the service are set"
    )
