"""Addresses of a log or labels."""

import pytest

from mlops.errors import UserError
from mlops.monitor.sources import local


@pytest.mark.parametrize("address", ["s3://", "s3:///", "://"])
def test_an_address_that_names_nothing_is_refused(address):
    """The variable with the bucket's name may have been empty."""
    with pytest.raises(UserError, match="names no folder.* s3://bucket/log"):
        local(address)
