"""Prometheus' own tool promtool, from Debian's package `prometheus` or another build."""

import subprocess

import pytest


@pytest.fixture(scope="session")
def promtool(needs):
    """A function that runs promtool."""
    program = needs("promtool", "prometheus")

    def run(*arguments, **options):
        command = [program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return run
