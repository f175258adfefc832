"""Replace the live release on this machine: start the new one, wait, switch, verify.

The targets `local` and `docker` share it: each is a `Deployment` with its own way to run a release.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops.errors import Refused
from mlops.serving import client
from mlops.targets import Confirm, Live, processes, public_port
from mlops.targets.slots import LiveFolder

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

# By then a busy client that keeps its connection has moved to the new release: see proxy.py.
SETTLE_SECONDS = 0.5
VERIFY_SECONDS = 10.0
POLL_SECONDS = 0.05
LOG_LINES = 12

Active = dict[str, Any]


@dataclass(frozen=True)
class Deployment(ABC):
    """A release to run for an environment on this machine."""

    environment: "Environment"
    release_id: str
    ready_seconds: float

    @property
    def folder(self) -> LiveFolder:
        """The environment's folder below build/live/."""
        return LiveFolder(self.environment.name)

    @property
    def port(self) -> int:
        """The public port."""
        return self.environment.settings.port

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The settings that a running service cannot change."""

    @abstractmethod
    def is_running(self, active: Active) -> bool:
        """Return whether the service in the active slot runs."""

    @abstractmethod
    def matches(self, active: Active) -> bool:
        """Return whether the active slot runs this release under these settings."""

    def prepare(self) -> None:
        """Make ready what the start needs; raises Refused if it is not available."""

    @abstractmethod
    def new_slot(self) -> str:
        """Return the name of the slot to start the service in."""

    @abstractmethod
    def start(self, slot: str) -> int:
        """Start the service in a slot; return its port."""

    @abstractmethod
    def await_ready(self, slot: str, port: int) -> None:
        """Wait until the service is ready; raises Refused if it ends or is too slow."""

    @abstractmethod
    def log(self, slot: str) -> tuple[str, list[str]]:
        """Return the name of the service's log and its last lines."""

    def discard(self, slot: str) -> None:
        """Remove a service that did not become live."""

    def clean_up(self) -> None:
        """Stop what earlier deployments left."""


def deploy(deployment: Deployment, confirm: Confirm) -> Live:
    """Make a release live if it is not, and stop every other service of the environment."""
    folder = deployment.folder
    with folder.locked():
        confirm()
        folder.stop_others(*folder.proxies())
        before = folder.active()
        if not _is_live(deployment, before):
            _replace(deployment, before)
            if before and deployment.is_running(before):
                time.sleep(SETTLE_SECONDS)
        folder.stop_others(folder.proxy(deployment.port))
        deployment.clean_up()
        url = public_port.url(deployment.port)
        return Live(deployment.release_id, url, folder.active()["since"])


def stop(folder: LiveFolder, stop_more: Callable[[], list[str]] = list) -> list[str]:
    """Stop every service of an environment; return the names of those that ran."""
    with folder.locked():
        folder.activate(None)
        return folder.stop_others() + stop_more()


def _is_live(deployment: Deployment, active: Active | None) -> bool:
    """Return whether the release is live, under these settings, and answers."""
    return (
        active is not None
        and deployment.matches(active)
        and processes.alive(deployment.folder.proxy(deployment.port))
        and client.served_release(public_port.url(deployment.port), timeout=2)
        == deployment.release_id
    )


def _replace(deployment: Deployment, before: Active | None) -> None:
    """Make the release live, or leave the one before as it was."""
    try:
        deployment.prepare()
    except Refused as problem:
        raise _not_deployed(deployment, before, str(problem)) from None
    slot = deployment.new_slot()
    with public_port.hold(deployment.folder, deployment.environment) as activate:
        try:
            port = deployment.start(slot)
            deployment.await_ready(slot, port)
            activate(_active(deployment, slot, port))
            verify(deployment.port, deployment.release_id)
        except BaseException as problem:
            name, lines = deployment.log(slot)
            # The live service may be of this slot: it was asked to start again.
            if before is None or before["slot"] != slot:
                deployment.discard(slot)
            if isinstance(problem, Refused):
                log = "\n  ".join([f"The last lines of {name}:", *lines])
                raise _not_deployed(deployment, before, str(problem), log) from None
            raise


def _not_deployed(
    deployment: Deployment, before: Active | None, problem: str, log: str = ""
) -> Refused:
    keeps = before is not None and deployment.is_running(before)
    serving = f"{before['release_id']} keeps serving" if keeps else "Nothing is served"
    what = f"{deployment.release_id} was not deployed to {deployment.environment.name}"
    return Refused(f"{what}: {problem.rstrip('.')}. {serving}. {log}".rstrip())


def _active(deployment: Deployment, slot: str, port: int) -> Active:
    return {
        "slot": slot,
        "port": port,
        "release_id": deployment.release_id,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": deployment.settings,
    }


def verify(port: int, release_id: str) -> None:
    """Wait until the public port answers with a release's id; raises Refused if it does not."""
    deadline, served = time.monotonic() + VERIFY_SECONDS, None
    while time.monotonic() < deadline:
        served = client.served_release(public_port.url(port))
        if served == release_id:
            return
        time.sleep(POLL_SECONDS)
    answer = served or "nothing"
    raise Refused(f"it was ready, but {public_port.url(port)}/version answers {answer}")
