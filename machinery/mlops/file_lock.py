"""A file lock, for commands that must not run twice at a time in a clone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lock(path: Path, otherwise: Exception) -> Iterator[None]:
    """Hold the lock while the block runs; raises `otherwise` if another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            # The system releases it when the process ends, also after a kill.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise otherwise from None
        yield
