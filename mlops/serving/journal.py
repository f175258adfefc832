"""What was answered and is not yet counted and logged: noted at once, told together.

Done for each request alone, it took a tenth of an answer's time: code that the processor comes to
rarely is slow, and once for twenty requests it is not.
"""

import asyncio
from datetime import datetime
from typing import Any, NamedTuple

from mlops.serving.log import features, lines
from mlops.serving.metrics import Metrics, Predictions
from mlops.serving.writer import Writer

# What a worker that is killed may lose. Longer would save little and stop the answers for longer.
SECONDS = 0.05
# A large request has work enough of its own, and should not be held for long.
MOST_BYTES = 2**16


class Made(NamedTuple):
    """A request that got scores, and the inside of the JSON object of each."""

    at: datetime
    body: bytes
    rows: list[dict[str, Any]]
    made: list[bytes]


class Journal:
    """Takes down what happens to requests for scores; counts and logs it some times a second."""

    def __init__(
        self, release_id: str | None, metrics: Metrics, predictions: Predictions, log: Writer | None
    ) -> None:
        self._release_id, self._log = release_id, log
        self._metrics, self._predictions = metrics, predictions
        self._answered: list[tuple[int, float, Made | None]] = []
        self._in_flight, self._due = 0, False

    def asked(self) -> None:
        """Note that a request came."""
        self._in_flight += 1
        self._soon()

    def answered(self, status: int, seconds: float, made: Made | None) -> None:
        """Note that a request ended, with scores or without."""
        self._in_flight -= 1
        self._answered.append((status, seconds, made))
        if made and len(made.body) > MOST_BYTES:
            asyncio.get_running_loop().call_soon(self.settle)
        self._soon()

    def settle(self) -> None:
        """Count what was noted and have it logged."""
        self._due = False
        self._metrics.in_flight.set(self._in_flight)
        answered, self._answered = self._answered, []
        for status in {status for status, _, _ in answered}:
            seconds = [took for was, took, _ in answered if was == status]
            self._metrics.answered("/predict", status, seconds)
        self._predictions.settle()
        made = [made for _, _, made in answered if made]
        if made and self._log:
            self._log.put(b"".join(map(self._lines, made)), sum(len(one.rows) for one in made))

    def close(self) -> None:
        """Count and write what was answered."""
        self.settle()
        if self._log:
            self._log.close()

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(SECONDS, self.settle)

    def _lines(self, one: Made) -> bytes:
        return lines(self._release_id, one.at, features(one.body, one.rows), one.made)
