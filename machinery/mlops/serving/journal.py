"""What was answered and is not yet counted and logged: noted at once, told together.

Done for each request alone, it took a tenth of an answer's time: code that the processor comes to
rarely is slow, and once for twenty requests it is not.
"""

import asyncio

from mlops.serving.log import Scored, line
from mlops.serving.metrics import Metrics, Predictions
from mlops.serving.writer import Writer

# What a worker that is killed may lose. Longer would save little and stop the answers for longer.
SECONDS = 0.05
# A large request has work enough of its own, and should not be held for long.
MOST_ROWS = 256


class Journal:  # pylint: disable=too-many-instance-attributes  # what waits, and where it goes
    """Takes down what happens to requests for scores; counts and logs it some times a second."""

    def __init__(
        self, release_id: str | None, metrics: Metrics, predictions: Predictions, log: Writer | None
    ) -> None:
        self._release_id, self._log = release_id, log
        self._metrics, self._predictions = metrics, predictions
        self._answered: list[tuple[int, float]] = []
        self._scored: list[Scored] = []
        self._in_flight, self._due = 0, False

    def asked(self) -> None:
        """Note that a request came."""
        self._in_flight += 1
        self._soon()

    def scored(self, scored: Scored) -> None:
        """Note what a call of the model made."""
        self._scored.append(scored)
        if len(scored.ids) > MOST_ROWS:
            asyncio.get_running_loop().call_soon(self.settle)
        self._soon()

    def answered(self, status: int, seconds: float) -> None:
        """Note that a request ended, with scores or without."""
        self._in_flight -= 1
        self._answered.append((status, seconds))
        self._soon()

    def settle(self) -> None:
        """Count what was noted and have it logged."""
        self._due = False
        self._metrics.in_flight.set(self._in_flight)
        answered, self._answered = self._answered, []
        for status in {status for status, _ in answered}:
            seconds = [took for was, took in answered if was == status]
            self._metrics.answered("/predict", status, seconds)
        scored, self._scored = self._scored, []
        self._predictions.count(scored)
        if scored and self._log:
            lines = [line(self._release_id, one) for one in scored]
            self._log.put(b"".join(lines), [len(one.ids) for one in scored])

    def close(self) -> None:
        """Count and write what was answered."""
        self.settle()
        if self._log:
            self._log.close()

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(SECONDS, self.settle)
