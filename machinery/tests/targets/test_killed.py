"""A deployment killed at any moment: what served serves on, and running it again converges."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from machinery.tests.waiting import HANG_SECONDS, wait_for
from mlops.targets import local
from mlops.targets.slots import LiveFolder

pytestmark = pytest.mark.slow

ROOT = Path(local.__file__).parents[2]
# The command as a process of its own, which dies just before or after the function named.
DRIVER = """
import os, signal, sys
from pathlib import Path
from mlops.releases.environments import Environment
from mlops.releases.policy import Policy, Settings
from mlops.targets import local, switch
from mlops.targets.slots import LiveFolder

port, release_id, bundle, seconds, when, name = sys.argv[2:]
owners = (LiveFolder, local.ProcessDeployment, switch)
owner = next((one for one in owners if hasattr(one, name)), local)
original = getattr(owner, name, None)

def dying(*arguments):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    original(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

if original:
    setattr(owner, name, dying)
settings = Settings.model_validate({"target": "local", "port": int(port)})
environment = Environment("dev", settings, Policy.model_validate({"from": "build", "evidence": ()}))
print(local.deploy(environment, release_id, Path(bundle), float(seconds)))
"""
FIRST = [("after", "start"), ("after", "activate")]
LATER = [
    ("after", "start"),
    ("after", "await_ready"),
    ("after", "activate"),
    ("after", "verify"),
]


@pytest.fixture
def command(stage):
    """Starts the command that deploys, to be killed at a moment or never."""

    def start(release_id, bundle, when="", name="none"):
        port, seconds = str(stage.environment.settings.port), str(HANG_SECONDS)
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, "driver", port, release_id, bundle, seconds, when, name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.parametrize("when, name", FIRST)
def test_the_first_deployment_is_killed(empty, bundle, command, when, name):
    """Run again, it makes one service and one proxy."""
    folder = bundle()
    with command("r-1", folder, when, name) as killed:
        assert killed.wait() == -signal.SIGKILL
    empty.deploy("r-1", folder)
    assert (empty.served(), empty.running()) == ("r-1", (1, 1))


def test_a_later_deployment_is_killed(stage, bundle, command, client):
    """Killed again and again while one release replaces the other, no request ever fails."""
    folder = bundle()
    stage.deploy("r-0", folder)
    asking = client(stage.url, keep=False)
    for number, (when, name) in enumerate(LATER, start=1):
        with command(f"r-{number}", folder, when, name) as killed:
            assert killed.wait() == -signal.SIGKILL
        assert stage.served() in (f"r-{number - 1}", f"r-{number}")
        stage.deploy(f"r-{number}", folder)
        assert (stage.served(), stage.running()) == (f"r-{number}", (1, 1))
    assert asking.end().problems == []


def test_a_killed_deployment_is_ended_by_stop(empty, bundle, command):
    """What it started is an orphan, and is found."""
    with command("r-1", bundle(), "after", "start") as killed:
        killed.wait()
    assert empty.running()[0] == 1
    assert local.stop(empty.environment) is True
    assert empty.running() == (0, 0)


def test_two_deployments_at_once(stage, bundle, command, tmp_path):
    """The second prints that it waits, and wins."""
    start = tmp_path / "start"
    waits = f"while not Path({str(start)!r}).exists(): time.sleep(0.01)"
    slow = bundle(init=waits, imports="import time\nfrom pathlib import Path")
    with command("r-1", slow) as first:
        slots = LiveFolder(stage.environment.name).path / "slots"
        wait_for(lambda: list(slots.glob("r-1.*")) or first.poll() is not None)
        with command("r-2", bundle()) as second:
            second_output = second.stdout.readline()
            start.touch()
            first_output = first.communicate()[0]
            second_output += second.communicate()[0]
    assert "release_id='r-1'" in first_output
    assert "another command works on dev" in second_output
    assert "release_id='r-2'" in second_output
    assert (stage.served(), stage.running()) == ("r-2", (1, 1))
