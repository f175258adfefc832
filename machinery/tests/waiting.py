"""Waiting for an event itself, never for some seconds in which it usually comes."""

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import psutil

# Long enough for the busiest machine: it ends what hangs, and no result depends on it.
HANG_SECONDS = 120.0


def wait_for(condition: Callable[[], Any], why: Callable[[], object] = lambda: "") -> Any:
    """Return what a condition returns once that is true; fail with `why` when it never is."""
    deadline = time.monotonic() + HANG_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not true after {HANG_SECONDS:g} s; {why()}"
        time.sleep(0.01)
    return value


@contextmanager
def paused(process: psutil.Process):
    """Keep a process from running meanwhile: what is sent to it then comes to it all at once."""
    process.suspend()
    try:
        wait_for(lambda: process.status() == psutil.STATUS_STOPPED, process.status)
        yield
    finally:
        process.resume()
