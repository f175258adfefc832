"""The local target: what serves keeps serving until the next release is ready."""

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from machinery.tests.waiting import HANG_SECONDS, wait_for
from mlops.errors import Refused, UserError
from mlops.serving.client import get
from mlops.targets import Live, local, processes, public_port
from mlops.targets.slots import LiveFolder

pytestmark = pytest.mark.slow


def service_of(stage):
    """The folder of the service that is live."""
    folder = LiveFolder(stage.environment.name)
    return folder.slot(folder.active()["slot"]).folder


def kill(process):
    """Kill a process as the system does when memory is short, and see it dead."""
    process.send_signal(signal.SIGKILL)
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


@pytest.fixture
def signalled(tmp_path, monkeypatch):
    """A file that is there as soon as a release that runs was asked to finish."""
    # pylint: disable-next=protected-access
    original, file = processes._signal, tmp_path / "signalled"

    def signal_them(*arguments, **options):
        original(*arguments, **options)
        file.touch()

    monkeypatch.setattr(processes, "_signal", signal_them)
    return file


def test_a_release_answers_at_the_public_port(stage, bundle):
    """One service, one proxy, and the id that was asked for."""
    live = stage.deploy("r-1", bundle())
    assert live == Live("r-1", stage.url, live.since) == local.live(stage.environment)
    assert stage.running() == (1, 1)


def test_no_request_fails_during_a_switch(stage, bundle, client, tmp_path, signalled):
    """Neither on connections that are kept nor on new ones, nor one that is in flight."""
    folder, begun = bundle(), tmp_path / "begun"
    stage.deploy("r-1", folder)
    clients = [client(stage.url, keep) for keep in (True, True, False)]
    slow = f"{stage.url}/slow?begun={begun}&end={signalled}"
    with ThreadPoolExecutor() as other:
        answer = other.submit(get, slow, HANG_SECONDS)
        try:
            wait_for(lambda: begun.exists() or answer.done())
            assert not signalled.exists()
            stage.deploy("r-2", folder)
        finally:
            signalled.touch()
    ended = [client.end() for client in clients]
    assert [client.problems for client in ended] == [[], [], []]
    assert all(client.answers[0] == "r-1" and client.answers[-1] == "r-2" for client in ended)
    assert answer.result() == (200, '{"release_id":"r-1"}')
    assert stage.running() == (1, 1)


def test_deploying_what_is_live_changes_nothing(stage, bundle):
    """It is verified and left alone; but other settings need another start."""
    folder = bundle()
    first = stage.deploy("r-1", folder)
    before = service_of(stage)
    assert stage.deploy("r-1", folder) == first
    assert service_of(stage) == before
    stage.with_settings(log_level="debug").deploy("r-1", folder)
    assert service_of(stage) != before


@pytest.mark.parametrize(
    "wrong, why, seconds",
    [
        ({"imports": "raise ValueError('no such model')"}, "no such model", HANG_SECONDS),
        ({"init": "raise ValueError('no such model')"}, "no such model", HANG_SECONDS),
        ({"init": "os._exit(3)"}, "ended while it started", HANG_SECONDS),
        ({"release_id": "'r-0'"}, "reports the release r-0", HANG_SECONDS),
        ({"ready": False}, "not ready after 4 s", 4),
    ],
    ids=["import", "init", "dies", "wrong-id", "not-ready"],
)
def test_a_release_that_is_not_ready_changes_nothing(stage, bundle, wrong, why, seconds):
    """Whatever is wrong with it: the earlier one serves on, and the message gives the reason."""
    stage.deploy("r-1", bundle())
    with pytest.raises(Refused, match=f"(?s)r-2 was not deployed.*{why}") as refusal:
        stage.deploy("r-2", bundle(**wrong), seconds)
    assert "r-1 keeps serving" in str(refusal.value)
    assert "build/live/dev/logs/r-2." in str(refusal.value)
    assert stage.served() == "r-1"
    assert stage.running() == (1, 1)


def test_a_first_release_that_is_not_ready_leaves_nothing(empty, bundle):
    """No proxy without a release, and the port is free again."""
    with pytest.raises(Refused, match="Nothing is served"):
        empty.deploy("r-1", bundle(release_id="'r-0'"))
    assert empty.running() == (0, 0)
    with socket.create_server(("127.0.0.1", empty.environment.settings.port)):
        pass


@pytest.mark.parametrize("who", ["service", "worker", "proxy"])
def test_what_died_is_started_again(stage, bundle, who):
    """Deploying the same release mends it, and leaves no worker without its supervisor."""
    folder = bundle()
    stage.deploy("r-1", folder)
    live_folder = LiveFolder(stage.environment.name)
    dead = (
        live_folder.proxy(stage.environment.settings.port) if who == "proxy" else service_of(stage)
    )
    members = sorted(processes.members(dead), key=lambda process: process.create_time())
    kill(members[-1 if who == "worker" else 0])
    assert stage.deploy("r-1", folder).release_id == "r-1"
    assert stage.running() == (1, 1)


def test_a_taken_port_names_who_has_it(empty, bundle):
    """Found before anything is started."""
    with socket.create_server(("127.0.0.1", empty.environment.settings.port)):
        with pytest.raises(UserError, match=rf"settings.yaml: port \d+ .* process {os.getpid()} "):
            empty.deploy("r-1", bundle())
    assert empty.running() == (0, 0)


def test_the_public_port_moves(stage, bundle, port):
    """What holds the former one is ended after the switch."""
    folder = bundle()
    stage.deploy("r-1", folder)
    moved = stage.with_settings(port=port)
    moved.deploy("r-2", folder)
    assert (moved.served(), stage.served()) == ("r-2", None)
    assert stage.running() == (1, 1)


def test_the_service_does_not_see_the_working_tree(stage, bundle, monkeypatch):
    """It runs the bundle's code, whatever PYTHONPATH or the folder of the command would add."""
    with open("starlette.py", "w", encoding="utf-8") as trap:
        trap.write("raise ImportError('imported from the working tree')")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    assert stage.deploy("r-1", bundle()).release_id == "r-1"


def test_a_missing_bundle_is_named(stage, tmp_path):
    """Nothing is started for it."""
    with pytest.raises(UserError, match="nowhere is no folder: the bundle of r-1"):
        stage.deploy("r-1", tmp_path / "nowhere")


def test_stop_returns_whether_anything_ran(stage, bundle):
    """Nothing running is fine."""
    stage.deploy("r-1", bundle())
    assert local.stop(stage.environment) is True
    assert local.live(stage.environment) is None
    assert local.stop(stage.environment) is False


def test_a_port_for_a_service_is_none_that_the_system_gives_away():
    """Between the choice and the service's start no connection takes it."""
    setting = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(setting.read_text("utf-8").split()[0]) if setting.exists() else 49152
    assert all(1023 < public_port.free_port() < lowest for _ in range(50))


def test_logs_are_few(tmp_path):
    """Those of the newest releases are kept, and the proxy's."""
    logs = tmp_path
    for number in range(9):
        log = logs / f"r-{number}.1.log"
        log.touch()
        os.utime(log, (number, number))
    (logs / "proxy.log").touch()
    os.utime(logs / "proxy.log", (0, 0))
    local.forget_logs(logs)
    assert sorted(log.name for log in logs.iterdir()) == [
        "proxy.log",
        *(f"r-{number}.1.log" for number in range(4, 9)),
    ]
