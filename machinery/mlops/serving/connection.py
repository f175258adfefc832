"""A client's connection with time limits.

uvicorn waits for ever for the rest of a request, and for a client that does not read its answer.
"""

import asyncio
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlops.serving.limits import RequestRejected, too_many_connections
from mlops.serving.middleware import probes_only

# Connections beyond serve.max_connections, for health probes and Prometheus.
PROBE_CONNECTIONS = 32


class SequentialFlowControl(FlowControl):
    """Reads the next request only after the answer to the last; uvicorn's own reads without end."""

    def __init__(self, transport: asyncio.Transport, pipeline: Collection) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Resume reading unless requests wait for an answer."""
        if self.read_paused and not self._pipeline:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """uvicorn's connection with the limits of the service."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # No upgrades: a WebSocket connection would escape these limits, and no route needs one.
        self.ws_protocol_class = None
        self._service = self.config.app.state.service
        # The start of the wait for the client, None while it is the service's turn.
        self._waiting_since: float | None = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer; reject the connection if there are too many."""
        super().connection_made(transport)
        self.flow = SequentialFlowControl(transport, self.pipeline)
        excess = len(self.connections) - self._service.capacity.max_connections
        if excess > PROBE_CONNECTIONS:
            self._reject(too_many_connections())
        elif excess > 0:
            self.app = probes_only(self.app, self._service)
        self._check_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the time from the first byte of a request."""
        if self._waiting_since is None:
            self._waiting_since = self.loop.time()
        super().data_received(data)

    def on_message_complete(self) -> None:
        """Stop counting: the service answers next; uvicorn itself closes idle connections."""
        if not self.flow.write_paused:
            self._waiting_since = None
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Count the time in which the client does not read."""
        self._waiting_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop counting: the client reads again."""
        self._waiting_since = None
        super().resume_writing()

    def _check_time(self) -> None:
        """Close the connection of a late client; else check again when its time is up."""
        now, limit = self.loop.time(), self._service.capacity.arrive_seconds
        closing = self.transport.is_closing()
        if self._waiting_since is None and closing:
            self._waiting_since = now
        left = limit if self._waiting_since is None else self._waiting_since + limit - now
        if left <= 0:
            if closing or self.flow.write_paused:
                self.transport.abort()
                return
            # If uvicorn does not read, the request waits behind others of this client.
            if not self.flow.read_paused:
                text = f"The request did not arrive within {limit:g} s."
                self._reject(RequestRejected("slow", 408, text))
            self._waiting_since, left = now, limit
        self._timer = self.loop.call_later(left, self._check_time)

    def _reject(self, rejection: RequestRejected) -> None:
        cycle = self.cycle if self.cycle and self.cycle.scope is self.scope else None
        if cycle:
            # The application waits for the rest of the body; it raises this if the client is gone.
            self.scope["rejection"] = rejection
        else:
            self._service.metrics.rejected.labels(rejection.reason).inc()
        if not (cycle and cycle.response_started):
            self.transport.write(_http_response(rejection))
        self.transport.close()


def _http_response(rejection: RequestRejected) -> bytes:
    """Return the whole HTTP response to a request that never reaches the application."""
    content = to_json(rejection.content)
    head = [
        b"HTTP/1.1 %d %b" % (rejection.status, HTTPStatus(rejection.status).phrase.encode()),
        *(b"%b: %b" % header for header in rejection.headers),
        b"content-type: application/json",
        b"content-length: %d" % len(content),
        b"connection: close",
    ]
    return b"\r\n".join([*head, b"", content])
