"""ASGI middleware that answers POST /predict itself, and counts all other requests.

A framework's routing, request and response objects take longer than the check of a row. Written
against ASGI itself, answers are twice as fast.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

from pydantic_core import to_json

from mlops.serving.batching import BatchQueue
from mlops.serving.limits import (
    Capacity,
    Message,
    Receive,
    RequestRejected,
    require_json,
    too_many_connections,
)
from mlops.serving.metrics import Metrics
from mlops.serving.recorder import Recorder
from mlops.serving.scorer import Scorer

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PROBES = frozenset(("/livez", "/readyz", "/healthz", "/metrics"))
# No value needs more text; a body with more bytes for each value is rejected before its end.
BYTES_PER_VALUE = 1024


@dataclass
class ServiceState:
    """The parts of a running service, as `app.state.service`."""

    scorer: Scorer
    version: dict[str, Any]
    document: dict[str, Any]
    metrics: Metrics
    recorder: Recorder
    capacity: Capacity
    queue: BatchQueue

    @cached_property
    def answer_prefix(self) -> bytes:
        """The bytes of an answer before its predictions."""
        return b'{"release_id":%b,"predictions":[{' % to_json(self.version["release_id"])

    @cached_property
    def max_body_bytes(self) -> int:
        """The size beyond which a body is rejected unread."""
        return BYTES_PER_VALUE * (self.scorer.max_rows * self.scorer.values_a_row + 1)


class PredictMiddleware:
    """An ASGI application in front of another; `state.service` is set before the first request."""

    def __init__(self, app: App, state: Any) -> None:
        self._app, self.state = app, state

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/predict":
            await _predict(self.state.service, scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Message, receive: Receive, send: Send) -> None:
        start = perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = perf_counter() - start
                metrics = self.state.service.metrics
                metrics.count_answers(scope["path"], message["status"], [seconds])
            await send(message)

        await self._app(scope, receive, count)


def probes_only(app: App, service: ServiceState) -> App:
    """Return an application that passes probes on, and answers 503 to all else.

    Health probes open their own connection. If a busy worker rejected them, Kubernetes would
    restart it.
    """

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] in PROBES:
            await app(scope, receive, send)
            return
        rejection = too_many_connections()
        service.metrics.rejected.labels(rejection.reason).inc()
        headers = [*rejection.headers, (b"connection", b"close")]
        await _send_json(send, rejection.status, to_json(rejection.content), headers)

    return answer


async def _predict(service: ServiceState, scope: Message, receive: Receive, send: Send) -> None:
    # Two functions: while a slow client reads the answer, the first one's variables are gone.
    await _send_json(send, *await _answer_of(service, scope, receive))


async def _answer_of(
    service: ServiceState, scope: Message, receive: Receive
) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Return status, content and headers of the answer to a request for scores."""
    start, status, headers = perf_counter(), 500, []
    service.recorder.request_started()
    try:
        predictions = await _predictions(service, scope, receive)
        status, content = 200, service.answer_prefix + b"},{".join(predictions) + b"}]}"
    except RequestRejected as rejection:
        service.metrics.rejected.labels(rejection.reason).inc()
        status, content, headers = rejection.status, to_json(rejection.content), rejection.headers
        # The traceback's frames hold the body and form a reference cycle. The garbage collector
        # would free it late, since it counts objects and not bytes.
        rejection.__traceback__ = rejection.__context__ = None
    finally:
        service.recorder.request_answered(status, perf_counter() - start)
    return status, content, headers


async def _send_json(
    send: Send, status: int, content: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _predictions(service: ServiceState, scope: Message, receive: Receive) -> list[bytes]:
    """Return the predictions for a request; raises RequestRejected if it gets none."""
    if scope["method"] != "POST":
        text = f"/predict takes POST, not {scope['method']}."
        raise RequestRejected("method", 405, text, allow="POST")
    require_json(scope["headers"], service.max_body_bytes)
    body = await service.capacity.read_body(scope, receive, service.max_body_bytes)
    return await service.queue.predictions(body)
