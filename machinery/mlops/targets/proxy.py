"""Holds the public port of an environment and passes each connection to the live release.

A separate program with the standard library only: proxy.py FOLDER ACTIVE LOGS LISTENER.
ACTIVE is a JSON file whose `port` is that of the live release; it is replaced when another release
goes live. LISTENER is the number of an open socket, so the port is never free in between.

Bytes are passed unchanged. The proxy only detects where a request starts on a connection that a
client keeps open: there, after an answer, it moves the client to the release that is live now.
So the earlier release gets no more requests before it is stopped.
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
    """The port of the live release, read again only after its file was replaced."""

    def __init__(self, active: Path) -> None:
        self._active, self._version, self._port = active, (0, 0), None

    @property
    def port(self) -> int | None:
        """The port of the live release; None if there is none."""
        try:
            status = os.stat(self._active)
            if self._version != (status.st_ino, status.st_mtime_ns):
                self._port = int(json.loads(self._active.read_bytes())["port"])
                self._version = (status.st_ino, status.st_mtime_ns)
        except (OSError, ValueError, KeyError):
            self._port, self._version = None, (0, 0)
        return self._port


class ServiceConnection(asyncio.Protocol):
    """A connection to a release, for one client."""

    def __init__(self, client: "ClientConnection", port: int) -> None:
        self.client: ClientConnection | None = client
        self.port = port
        self.answered = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Store the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass a part of an answer on."""
        self.answered = True
        if self.client:
            self.client.transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Close the client's connection after the answer is written."""
        if self.client:
            self.client.transport.close()

    def pause_writing(self) -> None:
        """Stop reading from the client while the release is slow."""
        if self.client:
            self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        if self.client:
            self.client.transport.resume_reading()

    def leave(self) -> None:
        """Close the connection without its client, who is gone or moves on."""
        self.client = None
        self.transport.close()


class ClientConnection(asyncio.Protocol):
    """A connection from a client; its first request opens one to a release."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.service: ServiceConnection | None = None
        self.transport: asyncio.Transport
        self._connecting: asyncio.Task | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Store the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass a part of a request on; a new request may go to another release."""
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
                lambda: ServiceConnection(self, port), "127.0.0.1", port
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
        """End the request to the release; its answer may still follow."""
        if self.service:
            self.service.transport.write_eof()
        return self.service is not None

    def connection_lost(self, _: Exception | None) -> None:
        """Close the release's connection too."""
        if self.service:
            self.service.leave()

    def pause_writing(self) -> None:
        """Stop reading from the release while the client is slow."""
        if self.service:
            self.service.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        if self.service:
            self.service.transport.resume_reading()


def rotate(logs: Path) -> None:
    """Copy each long log to `.log.1` and truncate it; its writers append, so they continue."""
    for log in logs.glob("*.log"):
        # A removed log or a full disk must not end the traffic.
        with contextlib.suppress(OSError):
            if log.stat().st_size > LOG_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)


async def main(active: str, logs: str, listener: str) -> None:
    """Serve until killed."""
    route = Route(Path(active))
    public = socket.socket(fileno=int(listener))
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: ClientConnection(route), sock=public, backlog=1024)
    while True:
        rotate(Path(logs))
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[2:]))
