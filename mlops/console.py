"""What a step tells the person who runs it: one line for each thing done, with what it found."""

import sys
import time

WIDTH = 11


def say(step: str, text: str) -> None:
    """Print one line of progress under a step's name."""
    print(f"{step:<{WIDTH}} {text}", flush=True)


def complain(text: str) -> None:
    """Print a message for the user to act on to standard error."""
    print(f"\n{text}", file=sys.stderr, flush=True)


class Timer:
    """Measures wall-clock seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start, to the millisecond."""
        return round(time.perf_counter() - self._start, 3)
