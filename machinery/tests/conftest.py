"""What holds for all tests: which are left out in a fork, which share a process."""

import os
import shutil
from pathlib import Path

import pytest

from machinery.tests.forks import example, fork  # pylint: disable=unused-import
from machinery.tests.github_api.fixture import github  # pylint: disable=unused-import

EXAMPLE = Path("data/partitions/flights-2013-01.parquet")
# What a job of Actions is given; a step under test would take it for its own, and tell on its page.
GIVEN = ("GITHUB_", "RUNNER_", "MLOPS_STORE", "MLOPS_DEVICE")
# Their tests begin with a release in production, which takes twenty seconds to make.
SHIPPED = ("test_retrain.py", "test_rollback.py", "test_scope.py", "test_staging.py")


def pytest_configure():
    """Forget the job that runs the tests."""
    for name in [name for name in os.environ if name.startswith(GIVEN)]:
        del os.environ[name]


@pytest.hookimpl(optionalhook=True)  # asked by xdist only
def pytest_xdist_make_scheduler(config, log):
    """Keep a file's tests in one process, which makes its fixtures once; some files' likewise."""
    from xdist.scheduler import LoadScopeScheduling

    # pylint: disable-next=abstract-method # xdist's own subclasses leave them out too
    class ByFile(LoadScopeScheduling):
        """There is one Docker engine, and many files."""

        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.split("::")[0])
            if file.parent.name == "workflows" and file.name in SHIPPED:
                return "shipped"
            return "engine" if "engine" in file.parts else str(file)

    return ByFile(config, log)


def pytest_collection_modifyitems(config, items):
    """Skip what is marked `example` when it is gone; where files share cores, slow ones first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if EXAMPLE.exists():
        return
    skip = pytest.mark.skip(reason="it needs the example's flights, which this fork replaced")
    for item in items:
        if item.get_closest_marker("example"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def needs():
    """Finds a program of the system; a test without it is left out, where that is allowed."""

    def find(name: str, package: str) -> str:
        found = shutil.which(name)
        missing = f"{name} is not installed (Debian and Ubuntu: apt install {package})"
        if not found and os.environ.get("MLOPS_TESTS_COMPLETE"):
            pytest.fail(f"{missing}, and MLOPS_TESTS_COMPLETE lets nothing be left out")
        if not found:
            pytest.skip(missing)
        return found

    return find
