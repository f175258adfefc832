"""Console output of a step: one line for each action and its result."""

import re
import sys
import time
from datetime import datetime, timedelta

WIDTH = 11


def say(step: str, text: str) -> None:
    """Print one line of progress under a step's name."""
    print(f"{step:<{WIDTH}} {text}", flush=True)


def print_error(text: str) -> None:
    """Print a message that the user must act on to standard error."""
    print(f"\n{text}", file=sys.stderr, flush=True)


def without_password(text: str) -> str:
    """Return a text with the user and password of every address replaced by ***."""
    # `name:tag@sha256:...` is an image reference, not an address with a password.
    return re.sub(r"(?<=://)[^\s'\"]*@|[^\s'\"/:@]+:[^\s'\"/]+@(?!sha256:)", "***@", text)


def age(since: datetime, now: datetime) -> str:
    """Return the time since a moment, in the largest unit that fits."""
    elapsed = now - since
    for name, unit in (("d", timedelta(days=1)), ("h", timedelta(hours=1))):
        if elapsed >= unit:
            return f"{elapsed // unit} {name}"
    return f"{max(elapsed, timedelta()) // timedelta(minutes=1)} min"


class Timer:
    """Measures wall-clock seconds since its creation."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start, to the millisecond."""
        return round(time.perf_counter() - self._start, 3)
