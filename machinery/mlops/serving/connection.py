"""A client's connection, which ends when the client lets the service wait for too long.

uvicorn waits without end for the rest of a request and for a client that does not read its answer.
"""

import asyncio
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlops.serving.front import for_probes
from mlops.serving.limits import Refusal, crowded

# Connections beyond the most, for those who look after the service.
FOR_PROBES = 32


class InTurn(FlowControl):
    """Reads no more requests while there are some to answer; uvicorn's own reads without end."""

    def __init__(self, transport: asyncio.Transport, pipeline: Collection) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Go on reading unless there are requests to answer."""
        if self.read_paused and not self._pipeline:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """uvicorn's connection within the limits of the `Front` that it asks."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # An upgraded connection would be watched no longer, and nothing here speaks WebSocket.
        self.ws_protocol_class = None
        self._live = self.config.app.state.live
        self._waits_since: float | None = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Watch the connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self.flow = InTurn(transport, self.pipeline)
        too_many = len(self.connections) - self._live.room.max_connections
        if too_many > FOR_PROBES:
            self._refuse(crowded())
        elif too_many > 0:
            self.app = for_probes(self.app, self._live)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch it no longer."""
        if self._watch:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the time of a request from its first byte on."""
        if self._waits_since is None:
            self._waits_since = self.loop.time()
        super().data_received(data)

    def on_message_complete(self) -> None:
        """Stop counting: it is the service's turn, then uvicorn's, which ends idle connections."""
        if not self.flow.write_paused:
            self._waits_since = None
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Count the time for which the client does not read."""
        self._waits_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop counting: it reads again."""
        self._waits_since = None
        super().resume_writing()

    def _look(self) -> None:
        """End the connection of a client that is late; look again when this one may be."""
        now, most = self.loop.time(), self._live.room.arrive_seconds
        closing = self.transport.is_closing()
        if self._waits_since is None and closing:
            self._waits_since = now
        left = most if self._waits_since is None else self._waits_since + most - now
        if left <= 0:
            if closing or self.flow.write_paused:
                self.transport.abort()
                return
            # Where uvicorn does not read, there are requests before this one.
            if not self.flow.read_paused:
                self._refuse(Refusal("slow", 408, f"The request did not arrive within {most:g} s."))
            self._waits_since, left = now, most
        self._watch = self.loop.call_later(left, self._look)

    def _refuse(self, refusal: Refusal) -> None:
        begun = self.cycle if self.cycle and self.cycle.scope is self.scope else None
        if begun:
            # The application, which waits for the rest, hears of a client that is gone; and why.
            self.scope["refusal"] = refusal
        else:
            self._live.metrics.refused.labels(refusal.reason).inc()
        if not (begun and begun.response_started):
            self.transport.write(_answer(refusal))
        self.transport.close()


def _answer(refusal: Refusal) -> bytes:
    """Return a whole answer, for a request that no application was asked."""
    content = to_json(refusal.content)
    head = [
        b"HTTP/1.1 %d %b" % (refusal.status, HTTPStatus(refusal.status).phrase.encode()),
        *(b"%b: %b" % header for header in refusal.headers),
        b"content-type: application/json",
        b"content-length: %d" % len(content),
        b"connection: close",
    ]
    return b"\r\n".join([*head, b"", content])
