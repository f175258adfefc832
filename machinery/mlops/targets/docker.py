"""Releases as containers on this machine, by digest, behind the public port.

The container that was live before stays, stopped, so that a rollback needs no registry.
"""

import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.config.params import AnyModel, load_params
from mlops.container import engine, images
from mlops.errors import Refused, UserError
from mlops.files import canonical, digest
from mlops.releases.release import Image, Promoted
from mlops.serving import client
from mlops.targets import Confirm, Live, public_port, switch
from mlops.targets.public_port import live
from mlops.targets.slots import GRACE_SECONDS, LiveFolder
from mlops.targets.switch import LOG_LINES, POLL_SECONDS, Active, Deployment

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

# The functions of a target; `live` is the public port's.
__all__ = ["deploy", "live", "stop"]

# The user of the image, for a machine where root deploys.
NOBODY = "1034:1034"
PORT = 3000
# A container gets only what a release needs. The log driver `local` bounds the size of its log.
RESTRICTIONS = (
    *("--read-only", "--tmpfs=/tmp:rw,nosuid,nodev,size=64m", "--cap-drop=ALL"),
    *("--security-opt=no-new-privileges", "--pids-limit=512", "--log-driver=local"),
)


def deploy(
    environment: "Environment",
    release_id: str,
    bundle: Path,
    ready_seconds: float,
    confirm: Confirm = lambda: None,
) -> Live:
    """Start a container beside the live one, switch when it is ready, then stop the other."""
    # The image contains the bundle.
    del bundle
    release = environment.release
    if release is None or release.release_id != release_id or release.promoted.image is None:
        raise UserError(
            f"{release_id} names no image, and the target `docker` runs nothing else. "
            "`make image` pins one in the release, before it is promoted; it needs a registry."
        )
    image = images.in_mirror(release.promoted.image, environment.settings.registry)
    return switch.deploy(
        ContainerDeployment(environment, release_id, ready_seconds, release.promoted, image),
        confirm,
    )


def stop(environment: "Environment") -> bool:
    """Stop the services of an environment; they finish their requests first."""
    return bool(stop_all(environment.name))


def stop_all(name: str) -> list[str]:
    """Stop and remove the containers of the environment of this name; return those that ran."""
    folder = LiveFolder(name)
    if not _marker(folder).exists():
        return []

    def remove_containers() -> list[str]:
        stopped = []
        for container in _containers(folder):
            stopped += [container] if _stop(container) else []
            engine.docker("rm", "--force", container, what=f"{container} could not be removed")
        _marker(folder).unlink()
        return stopped

    return switch.stop(folder, remove_containers)


@dataclass(frozen=True)
class ContainerDeployment(Deployment):
    """A release that runs as a container; its slot is the container's name."""

    promoted: Promoted
    image: Image

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that a running container cannot change."""
        settings = self.environment.settings
        limits = settings.docker.model_dump() if settings.docker else {}
        return {"workers": settings.workers, "log_level": settings.log_level, **limits}

    @property
    def name(self) -> str:
        """The container's name: the same for the same release under the same settings."""
        parts = digest(canonical([str(self.folder.path), self.image.ref, self.settings]))
        return f"{self.release_id}.{self.environment.name}.{parts[7:15]}"

    def is_running(self, active: Active) -> bool:
        """Return whether the container of the active slot runs."""
        return _runs(active["slot"])

    def matches(self, active: Active) -> bool:
        """Return whether the active slot is this container, and it runs."""
        return active["slot"] == self.name and _runs(self.name)

    def prepare(self) -> None:
        """Pull the image of that digest, and compare its labels with the release."""
        ref, mirror = self.image.ref, self.environment.settings.registry
        if engine.image(ref) is None:
            if mirror:
                images.copy_to_mirror(self.promoted, mirror, load_params(AnyModel).store)
            done = engine.attempt("pull", "--quiet", ref)
            if done.returncode:
                raise Refused(f"{ref} cannot be pulled: {engine.reason(done.stderr)}")
        images.require_labels(ref, engine.image(ref)["Config"]["Labels"], self.promoted)

    def new_slot(self) -> str:
        """Return the container's name."""
        return self.name

    def start(self, slot: str) -> int:
        """Start the container, an earlier one if it exists; return its port."""
        marker = _marker(self.folder)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        if engine.container(slot) is None or engine.attempt("start", slot).returncode:
            engine.attempt("rm", "--force", slot)
            engine.docker("create", *_options(self), what=f"{slot} could not be made")
            engine.docker("start", slot, what=f"{slot} could not be started")
        bindings = engine.container(slot)["HostConfig"]["PortBindings"]
        return int(bindings[f"{PORT}/tcp"][0]["HostPort"])

    def await_ready(self, slot: str, port: int) -> None:
        """Wait until the container is ready and reports this release; raises Refused."""
        url, deadline = public_port.url(port), time.monotonic() + self.ready_seconds
        while time.monotonic() < deadline:
            if client.ready(url):
                self.require_identity(url)
                return
            if not _runs(slot):
                raise Refused("the container ended while it started")
            time.sleep(POLL_SECONDS)
        raise Refused(f"not ready after {self.ready_seconds:g} s (serve.ready_seconds)")

    def require_identity(self, url: str) -> None:
        """Raise Refused unless the service reports this release, its model and its commit."""
        reported = client.version(url)
        expected = {
            "release_id": self.release_id,
            "model_digest": self.promoted.model.digest,
            "commit": self.promoted.source.commit,
        }
        wrong = [
            f"{key} {reported.get(key)}, not {value}"
            for key, value in expected.items()
            if reported.get(key) != value
        ]
        if wrong:
            raise Refused(f"the service reports {'; '.join(wrong)}")

    def log(self, slot: str) -> tuple[str, list[str]]:
        """Return the last lines of the container's log."""
        done = engine.attempt("logs", f"--tail={LOG_LINES}", slot)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        return "its log", lines[-LOG_LINES:]

    def discard(self, slot: str) -> None:
        """Remove the container."""
        engine.attempt("rm", "--force", slot)

    def clean_up(self) -> None:
        """Stop every other container; remove all of them but the one that stopped last."""
        # The engine restarts it after a crash or a restart of the machine.
        update = ("update", "--restart=unless-stopped", self.name)
        engine.docker(*update, what=f"the restart policy of {self.name} could not be set")
        others = [container for container in _containers(self.folder) if container != self.name]
        for container in others:
            _stop(container)
        others.sort(key=lambda container: engine.container(container)["State"]["FinishedAt"])
        for container in others[:-1]:
            engine.docker("rm", "--force", container, what=f"{container} could not be removed")


def _options(deployment: ContainerDeployment) -> list[str]:
    environment, settings = deployment.environment, deployment.environment.settings
    folder = deployment.folder.path
    limits = settings.docker
    variables = {
        "MLOPS_RELEASE_ID": deployment.release_id,
        "MLOPS_ENVIRONMENT": environment.name,
        "MLOPS_PREDICTIONS": "/predictions",
        "MLOPS_WORKERS": settings.workers,
        "MLOPS_LOG_LEVEL": settings.log_level,
    }
    return [
        *RESTRICTIONS,
        f"--name={deployment.name}",
        f"--label=mlops.place={folder}",
        f"--user={_user(folder / 'predictions')}",
        f"--volume={folder / 'predictions'}:/predictions",
        f"--publish={public_port.HOST}:{public_port.free_port()}:{PORT}",
        *(f"--env={name}={value}" for name, value in variables.items()),
        *([f"--cpus={limits.cpus:g}"] if limits and limits.cpus else []),
        *([f"--memory={limits.memory[:-1].lower()}"] if limits and limits.memory else []),
        deployment.image.ref,
    ]


def _user(predictions: Path) -> str:
    """Return the user of the container, who may write the prediction log and is never root."""
    predictions.mkdir(parents=True, exist_ok=True)
    if os.getuid():
        return f"{os.getuid()}:{os.getgid()}"
    user, group = map(int, NOBODY.split(":"))
    for path in (predictions, *predictions.iterdir()):
        os.chown(path, user, group)
    return NOBODY


def _stop(container: str) -> bool:
    """Stop a container after it finished its requests; return whether it ran."""
    ran = _runs(container)
    # Newer clients call it --timeout.
    grace = f"-t={GRACE_SECONDS:g}"
    engine.docker("stop", grace, container, what=f"{container} could not be stopped")
    return ran


def _containers(folder: LiveFolder) -> list[str]:
    options = ("--all", f"--filter=label=mlops.place={folder.path}", "--format={{.Names}}")
    return engine.docker("ps", *options, what="The containers could not be listed").splitlines()


def _runs(container: str) -> bool:
    state = engine.container(container)
    return bool(state and state["State"]["Running"])


def _marker(folder: LiveFolder) -> Path:
    """Return the file that exists if containers may exist; without it no engine is needed."""
    return folder.path / "containers"
