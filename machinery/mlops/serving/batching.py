"""Scores requests in batches: one call of the model takes longer than one more row.

Requests that arrive during a call wait for the next one, so no request waits for others to come.
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

from mlops.serving.limits import Capacity, RequestRejected, overload
from mlops.serving.log import ScoredBatch, new_ids
from mlops.serving.problems import explain
from mlops.serving.recorder import Recorder
from mlops.serving.scorer import Score, Scorer
from mlops.serving.value_limit import TooManyValues

logger = logging.getLogger("bentoml.mlops")


class PendingRequest(NamedTuple):
    """A request that waits for its scores."""

    since: float
    body: bytes
    answer: asyncio.Future[list[bytes]]


Batch = list[tuple[PendingRequest, list[dict[str, Any]]]]


class BatchQueue:
    """Requests in order of arrival; several at a time are checked and scored in one call."""

    def __init__(self, scorer: Scorer, capacity: Capacity, recorder: Recorder) -> None:
        self._scorer, self._capacity, self._recorder = scorer, capacity, recorder
        self._waiting: deque[PendingRequest] = deque()

    async def predictions(self, body: bytes) -> list[bytes]:
        """Return the predictions for a body, each the inside of a JSON object.

        Raises RequestRejected for a body that gets no scores.
        """
        capacity = self._capacity
        out_of_memory = capacity.bytes_held + len(body) > capacity.max_held_bytes
        if len(self._waiting) >= capacity.max_waiting or out_of_memory:
            raise overload()
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # One round of the event loop later, so that the requests of this round join the batch.
            loop.call_soon(self._answer_next_batch)
        request = PendingRequest(perf_counter(), body, loop.create_future())
        self._waiting.append(request)
        capacity.bytes_held += len(body)
        try:
            return await request.answer
        finally:
            capacity.bytes_held -= len(body)

    def _answer_next_batch(self) -> None:
        """Answer the requests that waited longest: one full call, or all before an invalid one."""
        batch: Batch = []
        free_rows = self._capacity.batch_rows
        while self._waiting and free_rows > 0:
            request = self._waiting.popleft()
            try:
                rows = self._check(request)
            except BaseException as error:  # pylint: disable=broad-except  # for this request only
                _fail(request, error)
                # To explain a thousand bad rows takes long; probes must not wait for two of them.
                break
            batch.append((request, rows))
            free_rows -= len(rows)
        if self._waiting:
            # Later, so that the event loop first sends the answers and accepts connections.
            asyncio.get_running_loop().call_soon(self._answer_next_batch)
        if batch:
            self._score(batch)

    def _check(self, request: PendingRequest) -> list[dict[str, Any]]:
        if perf_counter() - request.since > self._capacity.max_wait_seconds:
            raise overload()
        try:
            return self._scorer.check(request.body)
        except ValidationError as error:
            rejection = RequestRejected("bad_request", 400, "")
            rejection.content = explain(error, self._scorer.schema, self._scorer.max_rows)
            raise rejection from None
        except TooManyValues:
            max_rows = self._scorer.max_rows
            text = f"The body holds far more values than the fields of {max_rows:,} rows."
            raise RequestRejected("too_large", 413, text) from None

    def _score(self, batch: Batch) -> None:
        time = datetime.now(UTC)
        columns = self._scorer.columns([row for _, rows in batch for row in rows])
        try:
            # On the event loop: a thread would double the cost of an answer.
            scores = self._scorer.score(columns)
        except BaseException:  # pylint: disable=broad-except  # such as a panic of a Rust library
            if len(batch) > 1:
                # The rows of one request may make the model fail: score each half by itself. The
                # event loop answers probes between the calls.
                loop, half = asyncio.get_running_loop(), len(batch) // 2
                loop.call_soon(self._score, batch[:half])
                loop.call_soon(self._score, batch[half:])
                return
            logger.exception("the model failed on rows that keep to its schema")
            _fail(batch[0][0], _model_failed())
            return
        ids = new_ids(len(scores))
        predictions, first = self._serialise(ids, scores), 0
        for request, rows in batch:
            own = slice(first, first := first + len(rows))
            if not request.answer.done():
                request.answer.set_result(predictions[own])
        # Recorded last, so that the answers are sent first.
        bodies = [request.body for request, _ in batch]
        self._recorder.batch_scored(ScoredBatch(time, bodies, columns, ids, scores))

    def _serialise(self, ids: Sequence[bytes], scores: Sequence[Score]) -> list[bytes]:
        answer = self._scorer.answer
        if answer.names:
            texts = [to_json(answer.prediction(score))[1:-1] for score in scores]
            return [b'"id":"%b",%b' % pair for pair in zip(ids, texts)]
        # One call for all scores is ten times as fast as a call for each.
        texts = to_json(scores)[1:-1].split(b",")
        return [b'"id":"%b","score":%b' % pair for pair in zip(ids, texts)]


def _model_failed() -> RequestRejected:
    return RequestRejected("model", 500, "The model could not score these rows.")


def _fail(request: PendingRequest, error: BaseException) -> None:
    if not request.answer.done():
        request.answer.set_exception(error)
