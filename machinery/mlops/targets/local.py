"""Releases as processes on this machine: a `bentoml serve` each, behind a port that stays."""

import os
import socket
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import Refused, UserError
from mlops.paths import LIVE
from mlops.serving import client
from mlops.targets import Live, front, processes
from mlops.targets.front import HOST, POLL_SECONDS, SETTLE_SECONDS, free_port, live, url
from mlops.targets.slots import Place, Slot

if TYPE_CHECKING:
    import psutil

    from mlops.releases.environments import Environment

# What every target offers; `live` is the front's.
__all__ = ["deploy", "live", "stop"]

LOGS_KEPT = 5
LOG_LINES = 12


@dataclass(frozen=True)
class Order:
    """What shall serve, and how."""

    environment: "Environment"
    release_id: str
    bundle: Path
    ready_seconds: float

    @property
    def port(self) -> int:
        """The public port."""
        return self.environment.settings.port

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that a running service cannot change."""
        return self.environment.settings.model_dump(include={"workers", "log_level"})


def deploy(environment: "Environment", release_id: str, bundle: Path, ready_seconds: float) -> Live:
    """Start a release beside the one that serves, switch when it is ready, then stop the other."""
    if not bundle.is_dir():
        raise UserError(f"{bundle} is no folder: the bundle of {release_id} was not unpacked.")
    order, place = Order(environment, release_id, bundle, ready_seconds), Place(environment.name)
    with place.locked():
        place.stop_others(*place.proxies())
        before = place.active()
        if not _is_served(order, place, before):
            _replace(order, place, before)
            if before and processes.alive(place.slot(before["slot"]).folder):
                time.sleep(SETTLE_SECONDS)
        place.stop_others(place.proxy(order.port))
        return Live(release_id, url(order.port), place.active()["since"])


def stop(environment: "Environment") -> bool:
    """Stop all that runs for an environment; requests in flight finish."""
    return bool(stop_place(environment.name))


def stop_place(name: str) -> list[str]:
    """Stop all that runs for the environment of this name; return what did run."""
    place = Place(name)
    if not place.folder.exists():
        return []
    with place.locked():
        place.activate(None)
        return place.stop_others()


def _is_served(order: Order, place: Place, active: dict[str, Any] | None) -> bool:
    """Say whether the live release is the one wanted, under these settings, and really answers."""
    if active is None:
        return False
    slot = place.slot(active["slot"])
    return (
        (active["release_id"], active["settings"]) == (order.release_id, order.settings)
        # A worker whose supervisor was killed answers too, but nobody would start it again.
        and any(_is_supervisor(process) for process in processes.members(slot.folder))
        and processes.alive(place.proxy(order.port))
        and client.served_release(url(order.port), timeout=2) == order.release_id
    )


def _replace(order: Order, place: Place, before: dict[str, Any] | None) -> None:
    """Make the release live, or leave all as it was before."""
    with front.held(place, order.environment) as switch:
        slot = _start(order, place)
        try:
            _await_ready(order, slot)
            switch(_active(order, slot))
            _verify(order)
        except Refused as problem:
            raise Refused(_explain(order, place, slot, before, problem)) from None


def _start(order: Order, place: Place) -> Slot:
    slot = place.slot(f"{order.release_id}.{free_port()}")
    slot.folder.mkdir(parents=True)
    forget_logs(slot.log.parent)
    # Through the link, the processes have the slot's path on their command lines.
    (slot.folder / "bundle").symlink_to(order.bundle.resolve())
    command = ["-m", "bentoml", "serve", str(slot.folder / "bundle")]
    address = ["--host", HOST, "--port", str(slot.port)]
    processes.start(
        slot.folder, [sys.executable, *command, *address], slot.log, environ=_environ(order, slot)
    )
    return slot


def _environ(order: Order, slot: Slot) -> dict[str, str]:
    """Return the service's environment: its release, and BentoML without what only costs time."""
    # The bundle brings its own code; what the shell puts on the path could shadow it.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {
        "OTEL_SDK_DISABLED": "true",
        **inherited,
        "MLOPS_RELEASE_ID": order.release_id,
        "MLOPS_ENVIRONMENT": order.environment.name,
        "MLOPS_PREDICTIONS": str((LIVE / order.environment.name / "predictions").resolve()),
        "MLOPS_WORKERS": str(order.settings["workers"]),
        "MLOPS_LOG_LEVEL": order.settings["log_level"],
        # One each: a service that starts empties the metrics it finds in its home.
        "BENTOML_HOME": str(slot.folder / "home"),
        "BENTOML_DO_NOT_TRACK": "True",
        "DO_NOT_TRACK": "1",
    }


def _await_ready(order: Order, slot: Slot) -> None:
    address, deadline, begun = url(slot.port), time.monotonic() + order.ready_seconds, False
    while time.monotonic() < deadline:
        served = client.served_release(address)
        if served == order.release_id and client.ready(address):
            return
        if served not in (None, order.release_id):
            raise Refused(f"the service says that it is {served}")
        works = not all(_is_supervisor(process) for process in processes.members(slot.folder))
        # BentoML starts a worker that ended again after 10 s, which mends no release.
        if (begun and not works) or not processes.alive(slot.folder):
            raise Refused("the service ended while it started")
        begun = works or _is_open(slot.port)
        time.sleep(POLL_SECONDS)
    answers = {path: client.get(address + path) for path in ("/version", "/readyz")}
    said = "; ".join(f"{path} {status} {text[:100]}" for path, (status, text) in answers.items())
    raise Refused(f"not ready after {order.ready_seconds:g} s (serve.ready_seconds): {said}")


def _active(order: Order, slot: Slot) -> dict[str, Any]:
    return {
        "slot": slot.folder.name,
        "port": slot.port,
        "release_id": order.release_id,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": order.settings,
    }


def _verify(order: Order) -> None:
    front.verify(order.port, order.release_id)


def _explain(order: Order, place: Place, slot: Slot, before: Any, problem: Refused) -> str:
    serves = before and processes.alive(place.slot(before["slot"]).folder)
    keeps = f"{before['release_id']} keeps serving" if serves else "Nothing is served"
    lines = [line for line in _read(slot.log).splitlines() if line.strip()][-LOG_LINES:]
    return (
        f"{order.release_id} was not deployed to {order.environment.name}: {problem}. {keeps}. "
        f"The last lines of {os.path.relpath(slot.log)}:\n  " + "\n  ".join(lines)
    )


def forget_logs(folder: Path) -> None:
    """Remove all logs of earlier releases but the newest."""
    logs = sorted(folder.glob("*.log*"), key=lambda log: log.stat().st_mtime, reverse=True)
    for log in logs[LOGS_KEPT:]:
        if log.name != "proxy.log":
            log.unlink()


def _is_supervisor(process: "psutil.Process") -> bool:
    """Tell BentoML's supervisor, whose command is `bentoml serve`, from its workers."""
    return "serve" in process.info["cmdline"]


def _is_open(port: int) -> bool:
    """Say whether a supervisor holds the port, as it does from when it starts its workers."""
    with socket.socket() as asker:
        return asker.connect_ex((HOST, port)) == 0


def _read(log: Path) -> str:
    return log.read_text("utf-8", "replace")
