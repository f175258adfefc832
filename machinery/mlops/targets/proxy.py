"""Holds the public port of an environment and passes each connection to the live release.

A program of its own that needs the standard library only: proxy.py FOLDER ACTIVE LOGS LISTENER.
ACTIVE is a JSON file whose `port` is where the live release listens; it is replaced when another
goes live. LISTENER is the number of an open socket, so that the port is never free in between.

Bytes are passed as they are. The one thing read is where a request starts on a connection that a
client keeps open: there, and only after an answer, it moves over to the release that is live now.
So the earlier release is left without requests before it is stopped.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import sys
from pathlib import Path

REQUEST = re.compile(rb"[A-Z]+ [^ \r\n]+ HTTP/1\.[01]\r\n")
UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 21\r\n\r\nno release is served\n"
)
LOG_BYTES = 10_000_000


class Route:
    """The port of the live release, read again only when the file that names it was replaced."""

    def __init__(self, active: Path) -> None:
        self._active, self._seen, self._port = active, (0, 0), None

    @property
    def port(self) -> int | None:
        """Where the live release listens; None while there is none."""
        try:
            found = os.stat(self._active)
            if self._seen != (found.st_ino, found.st_mtime_ns):
                self._port = int(json.loads(self._active.read_bytes())["port"])
                self._seen = (found.st_ino, found.st_mtime_ns)
        except (OSError, ValueError, KeyError):
            self._port, self._seen = None, (0, 0)
        return self._port


class Service(asyncio.Protocol):
    """A connection to a release, for one client."""

    def __init__(self, client: "Client", port: int) -> None:
        self.client: Client | None = client
        self.port = port
        self.answered = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Keep the connection."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass a piece of an answer on."""
        self.answered = True
        if self.client:
            self.client.transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        """End the client's connection with the release's, once all of the answer is written."""
        if self.client:
            self.client.transport.close()

    def pause_writing(self) -> None:
        """Read no more than the release takes."""
        if self.client:
            self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        if self.client:
            self.client.transport.resume_reading()

    def leave(self) -> None:
        """Part from the client, who is gone or moves on."""
        self.client = None
        self.transport.close()


class Client(asyncio.Protocol):
    """A connection from a client; it gets one to a release when it first asks for something."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.service: Service | None = None
        self.transport: asyncio.Transport
        self._connecting: asyncio.Task | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Keep the connection."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass a piece of a request on, to another release if this is where it may change."""
        service = self.service
        if service and service.answered and REQUEST.match(data) and service.port != self.route.port:
            service.leave()
            service = self.service = None
        if service:
            service.answered = False
            service.transport.write(data)
        else:
            self.transport.pause_reading()
            self._connecting = asyncio.create_task(self._connect(data))

    async def _connect(self, data: bytes) -> None:
        port = self.route.port
        try:
            if port is None:
                raise ConnectionRefusedError
            _, service = await asyncio.get_running_loop().create_connection(
                lambda: Service(self, port), "127.0.0.1", port
            )
        except OSError:
            self.transport.write(UNAVAILABLE)
            self.transport.close()
            return
        if self.transport.is_closing():
            service.leave()
            return
        self.service = service
        service.transport.write(data)
        self.transport.resume_reading()

    def eof_received(self) -> bool:
        """Tell the release that nothing more comes; its answer may still be on the way."""
        if self.service:
            self.service.transport.write_eof()
        return self.service is not None

    def connection_lost(self, _: Exception | None) -> None:
        """End the release's connection with the client's."""
        if self.service:
            self.service.leave()

    def pause_writing(self) -> None:
        """Read no more than the client takes."""
        if self.service:
            self.service.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        if self.service:
            self.service.transport.resume_reading()


def shorten(logs: Path) -> None:
    """Set aside each log that has grown too long; its writers, who append, go on at the start."""
    for log in logs.glob("*.log"):
        # A log may be removed meanwhile, or the disk be full: neither may end the traffic.
        with contextlib.suppress(OSError):
            if log.stat().st_size > LOG_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)


async def main(active: str, logs: str, listener: str) -> None:
    """Serve until killed."""
    route = Route(Path(active))
    public = socket.socket(fileno=int(listener))
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Client(route), sock=public, backlog=1024)
    while True:
        shorten(Path(logs))
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[2:]))
