"""The contract of a target, and how an environment comes by one."""

from inspect import signature

import pytest

from mlops.errors import UserError
from mlops.targets import TARGETS, Target, target_of

OFFERED = ("deploy", "live", "stop")


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_offers_the_contract(stage, name):
    """With the arguments the protocol names."""
    target = target_of(stage.with_settings(target=name).environment)
    for function in OFFERED:
        parameters = list(signature(getattr(Target, function)).parameters)[1:]
        assert list(signature(getattr(target, function)).parameters) == parameters


def test_an_unknown_target_is_refused(stage):
    """A helper beside the targets is none either."""
    for name in ("moon", "proxy"):
        with pytest.raises(UserError, match=f"target is '{name}'. There are local"):
            target_of(stage.with_settings(target=name).environment)
