"""Where a log or labels are, as somebody wrote it."""

import pytest

from mlops.errors import UserError
from mlops.monitor.sources import local


@pytest.mark.parametrize("place", ["s3://", "s3:///", "://"])
def test_an_address_that_names_nothing_is_a_mistake(place):
    """As a variable has it where the name of the bucket was empty."""
    with pytest.raises(UserError, match="names no folder.* s3://bucket/log"):
        local(place)
