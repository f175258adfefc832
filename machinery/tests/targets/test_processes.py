"""Processes known by a folder: alive while any of them lives, and stopped to the last."""

import os
import signal
import sys
import time

import pytest

from machinery.tests.waiting import wait_for
from mlops.targets import processes

# It names its folder, as every command given to `start` does.
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1], "deaf").touch()
time.sleep(600)
"""
PARENT = (
    "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], close_fds=False); time.sleep(600)"
)


@pytest.fixture
def start(tmp_path):
    """Starts a command for a folder and returns the folder; stops it in the end."""
    folder = tmp_path / "slot"

    def run(*command):
        processes.start(folder, [*command, str(folder)], tmp_path / "log")
        return folder

    yield run
    processes.stop(folder, 0)


def test_a_held_lock_is_life(start):
    """No process id is needed, so none can be mistaken."""
    folder = start(*SLEEP)
    assert processes.alive(folder)
    assert processes.stop(folder, 5) is True
    assert not processes.alive(folder)
    assert processes.stop(folder, 5) is False


def test_a_folder_without_processes_is_dead(tmp_path):
    """Whether it holds a lock or nothing at all."""
    assert not processes.alive(tmp_path)
    (tmp_path / "lock").touch()
    assert not processes.alive(tmp_path)


def test_stopping_just_after_the_start(start):
    """Even before the new process bears its own command line."""
    for _ in range(10):
        folder = start(*SLEEP)
        processes.stop(folder, 5)
        assert not processes.alive(folder)


def test_one_that_will_not_finish_is_killed(start):
    """After its time of grace."""
    folder = start(sys.executable, "-c", STUBBORN)
    wait_for((folder / "deaf").exists)
    begun = time.monotonic()
    processes.stop(folder, 0.3)
    assert time.monotonic() - begun >= 0.3
    assert not processes.alive(folder)


def test_an_orphan_is_found(start, tmp_path):
    """A child whose parent was killed still holds the lock and names the folder."""
    folder = start(sys.executable, "-c", PARENT, *SLEEP, str(tmp_path / "slot"))
    wait_for(lambda: len(processes.members(folder)) == 2)
    parent = min(processes.members(folder), key=lambda process: process.create_time())
    os.kill(parent.pid, signal.SIGKILL)
    wait_for(lambda: len(processes.members(folder)) == 1)
    assert processes.alive(folder)
    processes.stop(folder, 5)
    assert not processes.alive(folder)


def test_another_folder_of_a_longer_name_is_left_alone(start, tmp_path):
    """`slot` is not `slot-2`."""
    folder, other = start(*SLEEP), tmp_path / "slot-2"
    processes.start(other, [*SLEEP, str(other)], tmp_path / "log")
    processes.stop(folder, 5)
    assert processes.alive(other)
    processes.stop(other, 5)
