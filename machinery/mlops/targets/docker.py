"""Releases as containers on this machine, behind the port that stays: by digest, never by a tag.

The container that was live before is kept, stopped, so that going back asks no registry.
"""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.config.params import AnyModel, load_params
from mlops.container import engine, images
from mlops.errors import Refused, UserError
from mlops.files import canonical, digest
from mlops.releases.release import Image, Promoted
from mlops.serving import client
from mlops.targets import Live, front, processes
from mlops.targets.front import live
from mlops.targets.slots import GRACE_SECONDS, Place

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

# What every target offers; `live` is the front's.
__all__ = ["deploy", "live", "stop"]

LOG_LINES = 12
# The image's own, where this machine's user is the one that must not run it.
NOBODY = "1034:1034"
PORT = 3000
# A release may do nothing that it does not need. `local` keeps a log of bounded size.
CAGE = (
    *("--read-only", "--tmpfs=/tmp:rw,nosuid,nodev,size=64m", "--cap-drop=ALL"),
    *("--security-opt=no-new-privileges", "--pids-limit=512", "--log-driver=local"),
)


@dataclass(frozen=True)
class Order:
    """What shall serve, and how."""

    environment: "Environment"
    release_id: str
    promoted: Promoted
    image: Image
    ready_seconds: float

    @property
    def place(self) -> Place:
        """Where this machine keeps what runs for the environment."""
        return Place(self.environment.name)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What a running container cannot change."""
        settings = self.environment.settings
        limits = settings.docker.model_dump() if settings.docker else {}
        return {"workers": settings.workers, "log_level": settings.log_level, **limits}

    @property
    def name(self) -> str:
        """The container's name: the same for the same release under the same settings."""
        how = digest(canonical([str(self.place.folder), self.image.ref, self.settings]))
        return f"{self.release_id}.{self.environment.name}.{how[7:15]}"


def deploy(environment: "Environment", release_id: str, bundle: Path, ready_seconds: float) -> Live:
    """Start a container beside the one that serves, switch when it is ready, stop the other."""
    # The image has the bundle inside.
    del bundle
    order = _order(environment, release_id, ready_seconds)
    place, port = order.place, environment.settings.port
    with place.locked():
        place.stop_others(*place.proxies())
        before = place.active()
        if not _is_served(order, before):
            _require_image(order, before)
            _replace(order, before)
            if before:
                time.sleep(front.SETTLE_SECONDS)
        place.stop_others(place.proxy(port))
        _tidy(place, order.name)
        return Live(release_id, front.url(port), place.active()["since"])


def stop(environment: "Environment") -> bool:
    """Stop all that runs for an environment; requests in flight finish."""
    return bool(stop_place(environment.name))


def stop_place(name: str) -> list[str]:
    """Stop and remove the containers of the environment of this name; return what did run."""
    place = Place(name)
    if not _mark(place).exists():
        return []
    with place.locked():
        place.activate(None)
        stopped = place.stop_others()
        for container in _containers(place):
            stopped += [container] if _stop(container) else []
            engine.docker("rm", "--force", container, what=f"{container} could not be removed")
        _mark(place).unlink()
        return stopped


def _order(environment: "Environment", release_id: str, ready_seconds: float) -> Order:
    release = environment.release
    if release is None or release.release_id != release_id or release.promoted.image is None:
        raise UserError(
            f"{release_id} names no image, and the target `docker` runs nothing else. "
            "`make image` pins one in the release, before it is promoted; it needs a registry."
        )
    image = images.in_mirror(release.promoted.image, environment.settings.registry)
    return Order(environment, release_id, release.promoted, image, ready_seconds)


def _require_image(order: Order, before: dict[str, Any] | None) -> None:
    """Have the engine hold the image of that digest, and hold its labels to the release."""
    ref, mirror = order.image.ref, order.environment.settings.registry
    if engine.image(ref) is None:
        if mirror:
            images.copy_to_mirror(order.promoted, mirror, load_params(AnyModel).store)
        done = engine.attempt("pull", "--quiet", ref)
        if done.returncode:
            raise _refused(order, before, f"{ref} cannot be pulled: {engine.reason(done.stderr)}.")
    try:
        images.require_labels(ref, engine.image(ref)["Config"]["Labels"], order.promoted)
    except Refused as problem:
        raise _refused(order, before, str(problem)) from None


def _is_served(order: Order, active: dict[str, Any] | None) -> bool:
    """Say whether the live container is the one wanted, under these settings, and answers."""
    if active is None or active["slot"] != order.name:
        return False
    port = order.environment.settings.port
    return (
        _runs(order.name)
        and processes.alive(order.place.proxy(port))
        and client.served_release(front.url(port), timeout=2) == order.release_id
    )


def _replace(order: Order, before: dict[str, Any] | None) -> None:
    """Make the release live, or leave all as it was before."""
    with front.held(order.place, order.environment) as switch:
        try:
            port = _start(order)
            _await_ready(order, port)
            switch(_active(order, port))
            _verify(order)
        except BaseException as problem:
            log = "\n  ".join(["The last lines of its log:", *_log(order.name)])
            if not before or before["slot"] != order.name:
                engine.attempt("rm", "--force", order.name)
            if isinstance(problem, Refused):
                raise _refused(order, before, f"{problem}. {log}") from None
            raise


def _start(order: Order) -> int:
    """Start the container, the one kept from an earlier time if there is; return its port."""
    _mark(order.place).parent.mkdir(parents=True, exist_ok=True)
    _mark(order.place).touch()
    known = engine.container(order.name)
    if known is None or engine.attempt("start", order.name).returncode:
        engine.attempt("rm", "--force", order.name)
        engine.docker("create", *_options(order), what=f"{order.name} could not be made")
        engine.docker("start", order.name, what=f"{order.name} could not be started")
        known = None
    found = engine.container(order.name)
    return int(found["HostConfig"]["PortBindings"][f"{PORT}/tcp"][0]["HostPort"])


def _options(order: Order) -> list[str]:
    environment, settings = order.environment, order.environment.settings
    limits = settings.docker
    variables = {
        "MLOPS_RELEASE_ID": order.release_id,
        "MLOPS_ENVIRONMENT": environment.name,
        "MLOPS_PREDICTIONS": "/predictions",
        "MLOPS_WORKERS": settings.workers,
        "MLOPS_LOG_LEVEL": settings.log_level,
    }
    return [
        *CAGE,
        f"--name={order.name}",
        f"--label=mlops.place={order.place.folder}",
        f"--user={_user(order.place.folder / 'predictions')}",
        f"--volume={order.place.folder / 'predictions'}:/predictions",
        f"--publish={front.HOST}:{front.free_port()}:{PORT}",
        *(f"--env={name}={value}" for name, value in variables.items()),
        *([f"--cpus={limits.cpus:g}"] if limits and limits.cpus else []),
        *([f"--memory={limits.memory[:-1].lower()}"] if limits and limits.memory else []),
        order.image.ref,
    ]


def _user(predictions: Path) -> str:
    """Return who runs the container: one who may write the prediction log, and never root."""
    predictions.mkdir(parents=True, exist_ok=True)
    if os.getuid():
        return f"{os.getuid()}:{os.getgid()}"
    user, group = map(int, NOBODY.split(":"))
    for path in (predictions, *predictions.iterdir()):
        os.chown(path, user, group)
    return NOBODY


def _await_ready(order: Order, port: int) -> None:
    """Wait until the container is ready and says what the release says; raises Refused."""
    url, deadline = front.url(port), time.monotonic() + order.ready_seconds
    while time.monotonic() < deadline:
        if client.ready(url):
            _require_said(order, url)
            return
        if not _runs(order.name):
            raise Refused("the container ended while it started")
        time.sleep(front.POLL_SECONDS)
    raise Refused(f"not ready after {order.ready_seconds:g} s (serve.ready_seconds)")


def _require_said(order: Order, url: str) -> None:
    """Raise Refused unless the service itself names this release, its model and its commit."""
    said = client.version(url)
    wanted = {
        "release_id": order.release_id,
        "model_digest": order.promoted.model.digest,
        "commit": order.promoted.source.commit,
    }
    wrong = [
        f"{key} {said.get(key)}, not {value}"
        for key, value in wanted.items()
        if said.get(key) != value
    ]
    if wrong:
        raise Refused(f"the service says that it is {'; '.join(wrong)}")


def _active(order: Order, port: int) -> dict[str, Any]:
    return {
        "slot": order.name,
        "port": port,
        "release_id": order.release_id,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": order.settings,
    }


def _verify(order: Order) -> None:
    front.verify(order.environment.settings.port, order.release_id)


def _tidy(place: Place, name: str) -> None:
    """Stop every container but the live one; remove all but the one that was stopped last."""
    # The daemon starts it again when it dies, and after the machine was down.
    engine.docker("update", "--restart=unless-stopped", name, what=f"{name} could not be kept")
    others = [container for container in _containers(place) if container != name]
    for container in others:
        _stop(container)
    others.sort(key=lambda container: engine.container(container)["State"]["FinishedAt"])
    for container in others[:-1]:
        engine.docker("rm", "--force", container, what=f"{container} could not be removed")


def _stop(container: str) -> bool:
    """Stop a container when it has answered what it was asked; return whether it ran."""
    ran = _runs(container)
    # Newer clients call it --timeout.
    grace = f"-t={GRACE_SECONDS:g}"
    engine.docker("stop", grace, container, what=f"{container} could not be stopped")
    return ran


def _containers(place: Place) -> list[str]:
    options = ("--all", f"--filter=label=mlops.place={place.folder}", "--format={{.Names}}")
    return engine.docker("ps", *options, what="The containers could not be listed").splitlines()


def _runs(container: str) -> bool:
    found = engine.container(container)
    return bool(found and found["State"]["Running"])


def _log(container: str) -> list[str]:
    done = engine.attempt("logs", f"--tail={LOG_LINES}", container)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-LOG_LINES:]


def _refused(order: Order, before: dict[str, Any] | None, why: str) -> Refused:
    keeps = f"{before['release_id']} keeps serving" if before else "Nothing is served"
    return Refused(
        f"{order.release_id} was not deployed to {order.environment.name}. {keeps}.\n  {why}"
    )


def _mark(place: Place) -> Path:
    """Return the file that says that containers may be here: without it no engine is asked."""
    return place.folder / "containers"
