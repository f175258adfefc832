"""`data/`, `model/`, `params.yaml` and `environments/` offer what the machinery asks for."""

import pytest

from mlops.config.schema import schema_text
from mlops.gate import waivers
from mlops.paths import PARAMS_SCHEMA
from mlops.releases import environments, quarantine
from mlops.signing import audit
from mlops.training import contract, partitions

pytestmark = pytest.mark.fast


def test_params_are_valid_and_name_partitions_that_exist(params):
    """A wrong key, type or partition is named by the error."""
    split = partitions.split(params)
    assert split.train and split.holdout


def test_the_schema_for_editors_is_fresh():
    """params.schema.json is what `make schema` writes now."""
    assert PARAMS_SCHEMA.read_text("utf-8") == schema_text(), "run `make schema`"


def test_partitions_have_names_of_their_own():
    """A name used twice would hide one partition."""
    names = list(contract.team_data().partitions())
    assert names and len(names) == len(set(names))


def test_a_partition_loads_the_same_twice(params):
    """The fingerprint stands for the rows: a release is traced to them by it."""
    newest = partitions.split(params).holdout[-1:]
    first, second = partitions.load(newest), partitions.load(newest)
    assert first.fingerprints == second.fingerprints
    assert first.frame.equals(second.frame)


def test_the_newest_partition_keeps_to_the_schema(params):
    """pandera checks types, ranges and categories; `make check-data` does so for all."""
    frame = partitions.load(partitions.split(params).holdout[-1:]).frame
    contract.team_data().SCHEMA.validate(frame, lazy=True)


def test_every_environment_is_described():
    """settings.yaml, policy.yaml and release.yaml of each are read; their order has one end."""
    names = environments.names()
    assert names
    for name in names:
        environments.environment(name)


def test_what_people_accepted_for_a_while_is_readable():
    """Waivers of the gate, advisories of packages, and releases in quarantine."""
    waivers.committed()
    if audit.ADVISORIES.exists():
        audit.parse_accepted(audit.ADVISORIES.read_text("utf-8"))
    quarantine.entries()
