"""The table of checks: what each step applies."""

from inspect import getmembers, isfunction, signature

import pytest

from mlops.releases.rules import evidence, freeze, integrity, order, scope
from mlops.releases.rules import signature as signatures
from mlops.releases.rules import table

pytestmark = pytest.mark.fast

MODULES = (integrity, order, evidence, freeze, scope, signatures)
STEPS = (table.PROMOTE, table.MOVE, table.DEPLOY, table.START, table.MERGE, table.ROLLBACK)


def test_every_check_is_in_the_table():
    """A check that no step applies would refuse nothing."""
    checks = {
        check
        for module in MODULES
        for name, check in getmembers(module, isfunction)
        if name.startswith("check_") and list(signature(check).parameters) == ["facts"]
    }
    assert checks == {check for step in STEPS for check in step}


def test_a_merge_is_judged_as_its_deployment():
    """What `deploy` would refuse is refused before it is merged."""
    assert set(table.DEPLOY) | set(table.START) <= set(table.MERGE)
