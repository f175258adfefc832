"""Answers POST /predict, before all else that a server does for a request, and counts the rest.

A framework's routing, request and response take longer than a check of the row; written against
ASGI itself, answers come twice as fast.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

from pydantic_core import to_json

from mlops.serving.batching import Queue
from mlops.serving.journal import Journal
from mlops.serving.limits import Message, Receive, Refusal, Room, crowded, require_json
from mlops.serving.metrics import Metrics
from mlops.serving.scorer import Scorer

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PROBES = frozenset(("/livez", "/readyz", "/healthz", "/metrics"))
# More than the text of any value takes; a body with more a value is not read to its end.
BYTES_A_VALUE = 1024


@dataclass
class Live:
    """What a running service holds."""

    scorer: Scorer
    version: dict[str, Any]
    document: dict[str, Any]
    metrics: Metrics
    journal: Journal
    room: Room
    queue: Queue

    @cached_property
    def opening(self) -> bytes:
        """What comes before the predictions in an answer."""
        return b'{"release_id":%b,"predictions":[{' % to_json(self.version["release_id"])

    @cached_property
    def max_bytes(self) -> int:
        """The size beyond which a body is refused unread."""
        return BYTES_A_VALUE * (self.scorer.max_rows * len(self.scorer.fields) + 1)


class Front:
    """An ASGI application before another one; `state.live` is there before the first request."""

    def __init__(self, app: App, state: Any) -> None:
        self._app, self.state = app, state

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/predict":
            await _predict(self.state.live, scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Message, receive: Receive, send: Send) -> None:
        start = perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = perf_counter() - start
                self.state.live.metrics.answered(scope["path"], message["status"], [took])
            await send(message)

        await self._app(scope, receive, count)


def for_probes(app: App, live: Live) -> App:
    """Return an application that answers probes as another does, and ends other connections.

    Who looks after a service comes on a connection of its own: told that there are too many, an
    orchestrator would end what is busiest.
    """

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] in PROBES:
            await app(scope, receive, send)
            return
        refusal = crowded()
        live.metrics.refused.labels(refusal.reason).inc()
        headers = [*refusal.headers, (b"connection", b"close")]
        await _answer(send, refusal.status, to_json(refusal.content), headers)

    return answer


async def _predict(live: Live, scope: Message, receive: Receive, send: Send) -> None:
    # Apart: a client that is slow to read the answer would keep all that it was made of.
    await _answer(send, *await _answered(live, scope, receive))


async def _answered(
    live: Live, scope: Message, receive: Receive
) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Return status, content and headers of the answer to a request for scores."""
    start, status, headers = perf_counter(), 500, []
    live.journal.asked()
    try:
        made = await _predictions(live, scope, receive)
        status, content = 200, live.opening + b"},{".join(made) + b"}]}"
    except Refusal as refusal:
        live.metrics.refused.labels(refusal.reason).inc()
        status, content, headers = refusal.status, to_json(refusal.content), refusal.headers
        # Its frames hold the request, which holds it: such a circle keeps a body until the garbage
        # collector comes by, who counts objects and not bytes.
        refusal.__traceback__ = refusal.__context__ = None
    finally:
        live.journal.answered(status, perf_counter() - start)
    return status, content, headers


async def _answer(
    send: Send, status: int, content: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _predictions(live: Live, scope: Message, receive: Receive) -> list[bytes]:
    """Return the predictions a request gets; raises Refusal where there are none to give."""
    if scope["method"] != "POST":
        text = f"/predict takes POST, not {scope['method']}."
        raise Refusal("method", 405, text, allow="POST")
    require_json(scope["headers"], live.max_bytes)
    body = await live.room.read(scope, receive, live.max_bytes)
    return await live.queue.predictions(body)
