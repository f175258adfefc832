"""What a step tells the person who runs it: one line for each thing done, with what it found."""

import re
import sys
import time
from datetime import datetime, timedelta

WIDTH = 11


def say(step: str, text: str) -> None:
    """Print one line of progress under a step's name."""
    print(f"{step:<{WIDTH}} {text}", flush=True)


def complain(text: str) -> None:
    """Print a message for the user to act on to standard error."""
    print(f"\n{text}", file=sys.stderr, flush=True)


def without_password(text: str) -> str:
    """Return a text in which no address, with a scheme or without, tells its user or password."""
    # What stands before `@sha256:` is the name and tag of an image.
    return re.sub(r"(?<=://)[^\s'\"]*@|[^\s'\"/:@]+:[^\s'\"/]+@(?!sha256:)", "***@", text)


def age(since: datetime, now: datetime) -> str:
    """Return how long ago a moment is, in the largest unit that fits."""
    passed = now - since
    for name, unit in (("d", timedelta(days=1)), ("h", timedelta(hours=1))):
        if passed >= unit:
            return f"{passed // unit} {name}"
    return f"{max(passed, timedelta()) // timedelta(minutes=1)} min"


class Timer:
    """Measures wall-clock seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start, to the millisecond."""
        return round(time.perf_counter() - self._start, 3)
