"""Answers POST /predict, before all else that a server does for a request, and counts the rest.

A framework's routing, request and response take longer than a check of the row; written against
ASGI itself, answers come twice as fast.
"""

import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from mlops.serving.limits import Receive, Refusal, Room, require_json
from mlops.serving.log import features, lines
from mlops.serving.metrics import Metrics, Predictions
from mlops.serving.problems import explain
from mlops.serving.scorer import Scorer
from mlops.serving.writer import Writer

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# More than the text of any value takes; a body with more a value is not read to its end.
BYTES_A_VALUE = 1024

logger = logging.getLogger("bentoml.mlops")


@dataclass
class Live:
    """What a running service holds."""

    scorer: Scorer
    version: dict[str, Any]
    document: dict[str, Any]
    metrics: Metrics
    predictions: Predictions
    room: Room
    log: Writer | None

    @property
    def max_bytes(self) -> int:
        """The size beyond which a body is refused unread."""
        return BYTES_A_VALUE * (self.scorer.max_rows * len(self.scorer.fields) + 1)


class Front:
    """An ASGI application before another one; `state.live` is there before the first request."""

    def __init__(self, app: App, state: Any) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/predict":
            await _predict(self._state.live, scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Message, receive: Receive, send: Send) -> None:
        start = perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = perf_counter() - start
                self._state.live.metrics.answered(scope["path"], message["status"], took)
            await send(message)

        await self._app(scope, receive, count)


async def _predict(live: Live, scope: Message, receive: Receive, send: Send) -> None:
    start, headers = perf_counter(), []
    live.metrics.in_flight.inc()
    try:
        status, content = 200, await _answer(live, scope, receive)
    except Refusal as refusal:
        live.metrics.refused.labels(refusal.reason).inc()
        status, content, headers = refusal.status, to_json(refusal.content), refusal.headers
    finally:
        live.metrics.in_flight.dec()
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    live.metrics.answered("/predict", status, perf_counter() - start)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _answer(live: Live, scope: Message, receive: Receive) -> bytes:
    """Return the body of the answer; raises Refusal where there are no scores to give."""
    if scope["method"] != "POST":
        text = f"/predict takes POST, not {scope['method']}."
        raise Refusal("method", 405, text, allow="POST")
    require_json(scope["headers"], live.max_bytes)
    body = await live.room.read(receive, live.max_bytes)
    await live.room.turn()
    rows = _rows(live.scorer, body)
    try:
        # On the event loop: a thread would cost as much as the answer.
        scores = live.scorer.score(rows)
    except Exception:  # pylint: disable=broad-except  # whatever a team's model raises
        logger.exception("the model failed on rows that keep to its schema")
        raise Refusal("model", 500, "The model could not score these rows.") from None
    ids = os.urandom(16 * len(rows)).hex()
    predictions = [{"id": ids[32 * i : 32 * i + 32], "score": s} for i, s in enumerate(scores)]
    live.predictions.made(rows, scores)
    release = live.version["release_id"]
    if live.log:
        live.log.put(lines(release, features(body, rows), predictions), len(rows))
    return to_json({"release_id": release, "predictions": predictions})


def _rows(scorer: Scorer, body: bytes) -> list[dict[str, Any]]:
    try:
        return scorer.check(body)
    except ValidationError as error:
        refusal = Refusal("bad_request", 400, "")
        refusal.content = explain(error, scorer.schema, scorer.max_rows)
        raise refusal from None
