"""A file lock for work that only one process at a time may do in a clone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(lock: Path, error_if_locked: Exception) -> Iterator[None]:
    """Hold the lock while the block runs; raises the error if another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w", encoding="utf-8") as file:
        try:
            # The kernel releases the lock when its holder ends, even by a kill.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise error_if_locked from None
        yield
