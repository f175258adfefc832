"""The public port of an environment on this machine, and the proxy that listens on it."""

import contextlib
import random
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError
from mlops.serving import client
from mlops.targets import Live, processes, proxy
from mlops.targets.slots import LiveFolder

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

HOST = "127.0.0.1"
# Below the ports that Linux (from 32768) and others (from 49152) give to outgoing connections.
FREE = range(20000, 32768)


def url(port: int) -> str:
    """Return the address of a port on this machine."""
    return f"http://{HOST}:{port}"


def live(environment: "Environment") -> Live | None:
    """Return the release that answers at an environment's public port; None if none does."""
    active, address = LiveFolder(environment.name).active(), url(environment.settings.port)
    release_id = client.served_release(address) if active else None
    return Live(release_id, address, active["since"]) if active and release_id else None


def free_port() -> int:
    """Return a port that nothing listens on and that no system chooses by itself.

    A port chosen by the system may become an outgoing connection's before the service starts.
    """
    for port in random.sample(FREE, 100):
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind((HOST, port))
            return port
    raise UserError(
        f"None of 100 ports from {FREE.start} to {FREE.stop - 1} is free. Stop some programs here."
    )


def listen(listener: socket.socket, environment: "Environment") -> None:
    """Take the public port before the service starts; clients wait until it is ready."""
    port = environment.settings.port
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except OSError as error:
        raise UserError(
            f"environments/{environment.name}/settings.yaml: port {port} is not free "
            f"({error.strerror}): {processes.holder(port)} uses it. "
            "Stop that program, or choose another port."
        ) from None


def start(live_folder: LiveFolder, folder: Path, listener: socket.socket) -> None:
    """Start the proxy in a folder; it passes connections from this socket to the live release."""
    files = [str(live_folder.path / "active.json"), str(live_folder.path / "logs")]
    command = [sys.executable, "-I", str(Path(proxy.__file__).resolve()), str(folder), *files]
    processes.start(
        folder,
        [*command, str(listener.fileno())],
        live_folder.path / "logs" / "proxy.log",
        descriptors=(listener.fileno(),),
    )


@contextlib.contextmanager
def hold(
    live_folder: LiveFolder, environment: "Environment"
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Hold the public port while a release starts; restore the state before if the block fails.

    Yields the function that makes a release live; its argument is the content of active.json.
    """
    before = live_folder.active()
    proxies = [folder for folder in live_folder.proxies() if processes.alive(folder)]
    proxy_folder = live_folder.proxy(environment.settings.port)
    with socket.socket() as listener:
        if proxy_folder not in proxies:
            listen(listener, environment)

        def activate(active: dict[str, Any]) -> None:
            """Send requests to this release from now on."""
            live_folder.activate(active)
            if proxy_folder not in proxies:
                start(live_folder, proxy_folder, listener)

        try:
            yield activate
        except BaseException:
            live_folder.activate(before)
            live_folder.stop_others(*proxies)
            raise
