"""Addresses of a log or labels."""

import pytest

from mlops.errors import UserError
from mlops.monitor.sources import local


@pytest.mark.parametrize("address", ["s3://", "s3:///", "://"])
def test_an_address_that_names_nothing_is_refused(address):
    """The variable with the bucket's name may have been empty."""
    with pytest.raises(UserError, match="names no folder.* s3://bucket/log"):
        local(address)


def test_a_path_that_is_missing_is_refused(tmp_path):
    """A log of no rows would look like a quiet month."""
    with pytest.raises(UserError, match="none.jsonl is missing. Name an existing file or folder"):
        local(str(tmp_path / "none.jsonl"))
