"""Prometheus' own tools, from Debian's package `prometheus` or any other build of it."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def promtool():
    """Runs promtool; left out, with the reason, where there is none."""
    if not shutil.which("promtool"):
        missing = "promtool is not installed (Debian and Ubuntu: apt install prometheus)"
        if os.environ.get("MLOPS_REQUIRE_ENGINES"):
            pytest.fail(missing)
        pytest.skip(missing)

    def run(*words, **options):
        return subprocess.run(
            ["promtool", *map(str, words)], capture_output=True, text=True, check=False, **options
        )

    return run
