"""Writes the prediction log from a thread of its own, so that no answer waits for the disk."""

import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from mlops.serving.log import PredictionLog

# What waits while the disk does not answer: some 20,000 rows.
MOST_BYTES = 16 * 2**20

logger = logging.getLogger("bentoml.mlops")


class Writer(threading.Thread):
    """Takes lines without waiting and writes them in their order; tells how many were lost."""

    def __init__(self, log: PredictionLog, lost: Callable[[int], None]) -> None:
        super().__init__(name="prediction-log", daemon=True)
        self._log, self._lost = log, lost
        self._waiting: SimpleQueue[tuple[bytes, Sequence[int]] | None] = SimpleQueue()
        self._held, self._lock = 0, threading.Lock()
        self._works = True

    def put(self, content: bytes, rows: Sequence[int]) -> None:
        """Have lines of so many rows each written; they are lost when too much waits already."""
        with self._lock:
            fits = self._held + len(content) <= MOST_BYTES
            if fits:
                self._held += len(content)
        if fits:
            self._waiting.put((content, rows))
        else:
            self._lose(sum(rows), "too many wait for the disk")

    def close(self) -> None:
        """Write what waits and end."""
        self._waiting.put(None)
        self.join()

    def run(self) -> None:
        """Write what comes until closed."""
        while waiting := self._waiting.get():
            self._write(*waiting)
        self._log.close()

    def _write(self, content: bytes, rows: Sequence[int]) -> None:
        try:
            lost = sum(rows[self._log.append(content) :])
            why = "the disk took a part of them"
        except OSError as error:
            lost, why = sum(rows), str(error)
        with self._lock:
            self._held -= len(content)
        if lost:
            self._lose(lost, why)
        self._works = not lost

    def _lose(self, count: int, why: str) -> None:
        # A full disk must not stop the answers: a metric tells of it, and one line in the log.
        self._lost(count)
        if self._works:
            logger.error("predictions are answered but not logged: %s", why)
        self._works = False
