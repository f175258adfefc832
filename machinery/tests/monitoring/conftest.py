"""Prometheus' own tool, from Debian's package `prometheus` or any other build of it."""

import subprocess

import pytest


@pytest.fixture(scope="session")
def promtool(needs):
    """Runs promtool."""
    program = needs("promtool", "prometheus")

    def run(*words, **options):
        command = [program, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return run
