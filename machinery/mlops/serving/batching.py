"""Requests that came together are scored together: to call a model takes longer than a row does.

What comes while one call runs waits for the next, so nothing waits for company.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import to_json

from mlops.serving.journal import Journal
from mlops.serving.limits import Refusal, Room, overload
from mlops.serving.log import Scored, new_ids
from mlops.serving.problems import explain
from mlops.serving.scorer import Scorer
from mlops.serving.values import TooManyValues

logger = logging.getLogger("bentoml.mlops")


class Asked(NamedTuple):
    """A request that waits for its turn."""

    since: float
    body: bytes
    answer: asyncio.Future[list[bytes]]


class Queue:
    """Requests in the order they came; the next of them are checked and scored in one call."""

    def __init__(self, scorer: Scorer, room: Room, journal: Journal) -> None:
        self._scorer, self._room, self._journal = scorer, room, journal
        self._waiting: deque[Asked] = deque()

    async def predictions(self, body: bytes) -> list[bytes]:
        """Return the predictions for a body when its turn has come; raises Refusal for none.

        Each is the inside of a JSON object.
        """
        room = self._room
        if len(self._waiting) >= room.max_waiting or room.held + len(body) > room.max_held_bytes:
            raise overload()
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # A round of the event loop later: all that came meanwhile are counted before that.
            loop.call_soon(self._next)
        asked = Asked(perf_counter(), body, loop.create_future())
        self._waiting.append(asked)
        room.held += len(body)
        try:
            return await asked.answer
        finally:
            room.held -= len(body)

    def _next(self) -> None:
        """Answer those who waited longest: as many as fit into one call, up to a mistake."""
        together: list[tuple[Asked, list[dict[str, Any]]]] = []
        room = self._room.batch_rows
        while self._waiting and room > 0:
            asked = self._waiting.popleft()
            try:
                rows = self._checked(asked)
            except BaseException as error:  # pylint: disable=broad-except  # that request's own
                _end(asked, error)
                # To explain a thousand rows takes long enough: probes need not wait for another.
                break
            together.append((asked, rows))
            room -= len(rows)
        if self._waiting:
            # The event loop sends the answers first, and looks for who comes.
            asyncio.get_running_loop().call_soon(self._next)
        if together:
            self._score(together)

    def _checked(self, asked: Asked) -> list[dict[str, Any]]:
        if perf_counter() - asked.since > self._room.max_wait_seconds:
            raise overload()
        try:
            return self._scorer.check(asked.body)
        except ValidationError as error:
            refusal = Refusal("bad_request", 400, "")
            refusal.content = explain(error, self._scorer.schema, self._scorer.max_rows)
            raise refusal from None
        except TooManyValues:
            most = self._scorer.max_rows
            text = f"The body holds far more values than the fields of {most:,} rows."
            raise Refusal("too_large", 413, text) from None

    def _score(self, together: list[tuple[Asked, list[dict[str, Any]]]]) -> None:
        at, every = datetime.now(UTC), [row for _, rows in together for row in rows]
        try:
            # On the event loop: a thread would cost as much as the answer.
            scores = self._scorer.score(columns := self._scorer.columns(every))
        except BaseException:  # pylint: disable=broad-except  # such as a panic of a Rust library
            if len(together) > 1:
                # One request's rows may be what the model fails on, and the others' are not. The
                # event loop answers probes between the calls.
                loop, half = asyncio.get_running_loop(), len(together) // 2
                loop.call_soon(self._score, together[:half])
                loop.call_soon(self._score, together[half:])
                return
            logger.exception("the model failed on rows that keep to its schema")
            _end(together[0][0], Refusal("model", 500, "The model could not score these rows."))
            return
        ids = new_ids(len(scores))
        told, first = _told(ids, scores), 0
        for asked, rows in together:
            mine = slice(first, first := first + len(rows))
            if not asked.answer.done():
                asked.answer.set_result(told[mine])
        # After the answers, which are sent first then.
        sent = [asked.body for asked, _ in together]
        self._journal.scored(Scored(at, sent, columns, ids, scores))


def _end(asked: Asked, error: BaseException) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)


def _told(ids: Sequence[bytes], scores: Sequence[float]) -> list[bytes]:
    # One call for all scores: one for each would take ten times as long.
    texts = to_json(scores)[1:-1].split(b",")
    return [b'"id":"%b","score":%b' % pair for pair in zip(ids, texts)]
