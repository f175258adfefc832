"""What holds for all tests: which are left out in a fork, which share a process."""

from pathlib import Path

import pytest

from tests.github.fixture import github  # pylint: disable=unused-import

EXAMPLE = Path("data/partitions/flights-2013-01.parquet")


def pytest_collection_modifyitems(config, items):
    """Skip what a fork cannot run, and keep together what shares something costly."""
    if not EXAMPLE.exists():
        _leave_out_example(items)
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            # The fixtures of a file are made once, and there is one Docker engine.
            engine = item.get_closest_marker("engine")
            item.add_marker(pytest.mark.xdist_group("engine" if engine else str(item.path)))


def _leave_out_example(items):
    skip = pytest.mark.skip(reason="it needs the example's flights, which this fork replaced")
    for item in items:
        if item.get_closest_marker("example"):
            item.add_marker(skip)
