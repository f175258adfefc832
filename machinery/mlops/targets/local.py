"""Releases as processes on this machine: one `bentoml serve` each, behind the public port."""

import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import Refused, UserError
from mlops.paths import LIVE
from mlops.serving import client
from mlops.targets import Confirm, Live, processes, switch
from mlops.targets.public_port import HOST, free_port, live, url
from mlops.targets.slots import LiveFolder, Slot
from mlops.targets.switch import LOG_LINES, POLL_SECONDS, Active, Deployment

if TYPE_CHECKING:
    import psutil

    from mlops.releases.environments import Environment

# The functions of a target; `live` is the public port's.
__all__ = ["deploy", "live", "stop"]

MAX_LOGS = 5


def deploy(
    environment: "Environment",
    release_id: str,
    bundle: Path,
    ready_seconds: float,
    confirm: Confirm = lambda: None,
) -> Live:
    """Start a release beside the live one, switch when it is ready, then stop the other."""
    if not bundle.is_dir():
        raise UserError(f"{bundle} is no folder: the bundle of {release_id} was not unpacked.")
    deployment = ProcessDeployment(environment, release_id, ready_seconds, bundle)
    return switch.deploy(deployment, confirm)


def stop(environment: "Environment") -> bool:
    """Stop the services of an environment; they finish their requests first."""
    return bool(stop_all(environment.name))


def stop_all(name: str) -> list[str]:
    """Stop the services of the environment of this name; return the names of those that ran."""
    folder = LiveFolder(name)
    return switch.stop(folder) if folder.path.exists() else []


@dataclass(frozen=True)
class ProcessDeployment(Deployment):
    """A release that runs as a process."""

    bundle: Path

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that a running service cannot change."""
        return self.environment.settings.model_dump(include={"workers", "log_level"})

    def is_running(self, active: Active) -> bool:
        """Return whether a process of the active slot lives."""
        return processes.alive(self.folder.slot(active["slot"]).folder)

    def matches(self, active: Active) -> bool:
        """Return whether the active slot runs this release, with its supervisor."""
        folder = self.folder.slot(active["slot"]).folder
        return (
            (active["release_id"], active["settings"]) == (self.release_id, self.settings)
            # Without its supervisor a worker answers too, but nothing would restart it.
            and any(_is_supervisor(process) for process in processes.members(folder))
        )

    def new_slot(self) -> str:
        """Return the release id with a free port."""
        return f"{self.release_id}.{free_port()}"

    def start(self, slot: str) -> int:
        """Start `bentoml serve`; return its port."""
        new = self.folder.slot(slot)
        new.folder.mkdir(parents=True)
        forget_logs(new.log.parent)
        # The link puts the slot's path on the command lines of the processes.
        (new.folder / "bundle").symlink_to(self.bundle.resolve())
        command = ["-m", "bentoml", "serve", str(new.folder / "bundle")]
        address = ["--host", HOST, "--port", str(new.port)]
        environ = _environ(self, new)
        processes.start(new.folder, [sys.executable, *command, *address], new.log, environ=environ)
        return new.port

    def await_ready(self, slot: str, port: int) -> None:
        """Wait until the service is ready; raises Refused if it ends or is too slow."""
        folder, address = self.folder.slot(slot).folder, url(port)
        deadline, has_begun = time.monotonic() + self.ready_seconds, False
        while time.monotonic() < deadline:
            served = client.served_release(address)
            if served == self.release_id and client.ready(address):
                return
            if served not in (None, self.release_id):
                raise Refused(f"the service reports the release {served}")
            has_workers = not all(_is_supervisor(process) for process in processes.members(folder))
            # BentoML restarts a worker after 10 s, which does not repair a release.
            if (has_begun and not has_workers) or not processes.alive(folder):
                raise Refused("the service ended while it started")
            has_begun = has_workers or _is_open(port)
            time.sleep(POLL_SECONDS)
        answers = {path: client.get(address + path) for path in ("/version", "/readyz")}
        listed = "; ".join(f"{path} {code} {text[:100]}" for path, (code, text) in answers.items())
        limit = f"{self.ready_seconds:g} s (serve.ready_seconds)"
        raise Refused(f"not ready after {limit}: {listed}")

    def log(self, slot: str) -> tuple[str, list[str]]:
        """Return the path of the log and its last lines."""
        path = self.folder.slot(slot).log
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        lines = [line for line in text.splitlines() if line.strip()]
        return os.path.relpath(path), lines[-LOG_LINES:]


def _environ(deployment: ProcessDeployment, slot: Slot) -> dict[str, str]:
    """Return the environment variables of the service; telemetry of BentoML is off."""
    # PYTHONPATH could shadow the code of the bundle.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {
        "OTEL_SDK_DISABLED": "true",
        **inherited,
        "MLOPS_RELEASE_ID": deployment.release_id,
        "MLOPS_ENVIRONMENT": deployment.environment.name,
        "MLOPS_PREDICTIONS": str((LIVE / deployment.environment.name / "predictions").resolve()),
        "MLOPS_WORKERS": str(deployment.settings["workers"]),
        "MLOPS_LOG_LEVEL": deployment.settings["log_level"],
        # One home each: a new service deletes the metrics in its home.
        "BENTOML_HOME": str(slot.folder / "home"),
        "BENTOML_DO_NOT_TRACK": "True",
        "DO_NOT_TRACK": "1",
    }


def forget_logs(folder: Path) -> None:
    """Remove all logs of earlier releases but the newest."""
    logs = sorted(folder.glob("*.log*"), key=lambda log: log.stat().st_mtime, reverse=True)
    for log in logs[MAX_LOGS:]:
        if log.name != "proxy.log":
            log.unlink()


def _is_supervisor(process: "psutil.Process") -> bool:
    """Return whether a process is BentoML's supervisor (`bentoml serve`), not a worker."""
    return "serve" in process.info["cmdline"]


def _is_open(port: int) -> bool:
    """Return whether the supervisor listens on the port, which it does before its workers start."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
