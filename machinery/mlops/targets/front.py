"""The public port of an environment on this machine: taken, held by the proxy, seen to answer."""

import contextlib
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import Refused, UserError
from mlops.serving import client
from mlops.targets import Live, processes, proxy
from mlops.targets.slots import Place

if TYPE_CHECKING:
    from mlops.releases.environments import Environment

HOST = "127.0.0.1"
# By then a busy client that keeps its connection has asked the new release: see proxy.py.
SETTLE_SECONDS = 0.5
VERIFY_SECONDS = 10.0
POLL_SECONDS = 0.05
# Below where Linux (32768) and others (49152) begin to number connections.
FREE = range(20000, 32768)


def url(port: int) -> str:
    """Return the address of a port here."""
    return f"http://{HOST}:{port}"


def live(environment: "Environment") -> Live | None:
    """Return what answers at an environment's public port; None if it is no release of ours."""
    active, address = Place(environment.name).active(), url(environment.settings.port)
    release_id = client.served_release(address) if active else None
    return Live(release_id, address, active["since"]) if active and release_id else None


def free_port() -> int:
    """Return a port that nothing listens on now, and that no system gives to anybody by itself.

    One of the system's own choice may be a connection's before a service that starts takes it.
    """
    for port in random.sample(FREE, 100):
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind((HOST, port))
            return port
    raise UserError(f"Of 100 ports from {FREE.start} to {FREE.stop - 1} none is free.")


def listen(listener: socket.socket, environment: "Environment") -> None:
    """Take the public port before anything is started; clients that come meanwhile wait."""
    port = environment.settings.port
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except OSError as error:
        raise UserError(
            f"environments/{environment.name}/settings.yaml: port {port} is not free "
            f"({error.strerror}): it is held by {processes.holder(port)}. "
            "End that, or choose another port."
        ) from None


def start(place: Place, folder: Path, listener: socket.socket) -> None:
    """Start what passes connections on, from this socket to the release that is live."""
    files = [str(place.folder / "active.json"), str(place.folder / "logs")]
    command = [sys.executable, "-I", str(Path(proxy.__file__).resolve()), str(folder), *files]
    processes.start(
        folder,
        [*command, str(listener.fileno())],
        place.folder / "logs" / "proxy.log",
        descriptors=(listener.fileno(),),
    )


@contextlib.contextmanager
def held(place: Place, environment: "Environment") -> Iterator[Callable[[dict[str, Any]], None]]:
    """Hold the public port for a release that is started; where it fails, all is as it was before.

    Yields how to make it live, by what active.json says of it.
    """
    before = place.active()
    proxies = [folder for folder in place.proxies() if processes.alive(folder)]
    wanted = place.proxy(environment.settings.port)
    with socket.socket() as listener:
        if wanted not in proxies:
            listen(listener, environment)

        def switch(active: dict[str, Any]) -> None:
            """Have requests go to this release from now on."""
            place.activate(active)
            if wanted not in proxies:
                start(place, wanted, listener)

        try:
            yield switch
        except BaseException:
            place.activate(before)
            place.stop_others(*proxies)
            raise


def verify(port: int, release_id: str) -> None:
    """Wait until the public port answers with a release's id; raises Refused if it does not."""
    deadline, served = time.monotonic() + VERIFY_SECONDS, None
    while time.monotonic() < deadline:
        served = client.served_release(url(port))
        if served == release_id:
            return
        time.sleep(POLL_SECONDS)
    raise Refused(f"it was ready, but {url(port)}/version says {served or 'nothing'}")
