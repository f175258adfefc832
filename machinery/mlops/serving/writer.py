"""Writes the prediction log in a separate thread, so that no answer waits for the disk."""

import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from mlops.serving.log import PredictionLog

# The size of the queue while the disk hangs: some 20,000 rows.
MAX_QUEUED_BYTES = 16 * 2**20

logger = logging.getLogger("bentoml.mlops")


class LogWriter(threading.Thread):
    """Queues log lines without blocking, writes them in order, and counts the rows it lost."""

    def __init__(self, log: PredictionLog, count_lost: Callable[[int], None]) -> None:
        super().__init__(name="prediction-log", daemon=True)
        self._log, self._count_lost = log, count_lost
        self._queue: SimpleQueue[tuple[bytes, Sequence[int]] | None] = SimpleQueue()
        self._queued_bytes, self._lock = 0, threading.Lock()
        self._works = True

    def put(self, content: bytes, rows: Sequence[int]) -> None:
        """Queue lines, with the number of rows in each; if the queue is full, they are lost."""
        with self._lock:
            fits = self._queued_bytes + len(content) <= MAX_QUEUED_BYTES
            if fits:
                self._queued_bytes += len(content)
        if fits:
            self._queue.put((content, rows))
        else:
            self._report_lost(sum(rows), "too many wait for the disk")

    def close(self) -> None:
        """Write the queued lines and end the thread."""
        self._queue.put(None)
        self.join()

    def run(self) -> None:
        """Write queued lines until closed."""
        while item := self._queue.get():
            self._write(*item)
        self._log.close()

    def _write(self, content: bytes, rows: Sequence[int]) -> None:
        try:
            lost_rows = sum(rows[self._log.append(content) :])
            reason = "the disk took a part of them"
        except OSError as error:
            lost_rows, reason = sum(rows), str(error)
        with self._lock:
            self._queued_bytes -= len(content)
        if lost_rows:
            self._report_lost(lost_rows, reason)
        self._works = not lost_rows

    def _report_lost(self, rows: int, reason: str) -> None:
        # A full disk must not stop the answers; the metric and one log line report it.
        self._count_lost(rows)
        if self._works:
            logger.error("predictions are answered but not logged: %s", reason)
        self._works = False
