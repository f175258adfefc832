"""Does the packed model answer over HTTP what it answers in process? Asked with real rows.

Training and serving see rows in other shapes, a DataFrame and lists from JSON, and in other
company: all that are held out, or those of requests that came together. A model to which that makes
a difference is wrong in production only.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.errors import failure
from mlops.rules import PARITY, Finding, find
from mlops.serving import client
from mlops.statistics.latency import as_sent

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

ROWS = 50
# Scores of one model differ by rounding at most: JSON holds every digit.
TOLERANCE = 1e-6
SHAPES = "model.predict must treat a DataFrame and a dict of lists, missing values None, alike."
COMPANY = "model.predict must score a row whatever other rows it is asked for with."
SAID = "said"
# A service that does not end by then when asked to is killed.
GRACE_SECONDS = 5.0


def sample(frame: "DataFrame", most: int) -> "DataFrame":
    """Return some rows from all over a frame, no more than one request may hold."""
    count = min(ROWS, most, len(frame))
    return frame.iloc[:: len(frame) // count][:count]


def compare(source: Path, frame: "DataFrame", expected: "ndarray", seconds: float) -> Finding:
    """Serve the unpacked bundle's `src` folder and find whether it answers what is expected.

    The frame holds features (rows,), expected the scores in process (rows,).
    """
    try:
        together, alone = _ask(source, as_sent(frame), seconds)
    except OSError as error:
        message = f"The service gave no answer to {len(frame)} held-out rows: {error}"
        return find(PARITY, "service", False, message)
    wrong = _otherwise(frame, together, expected, "", SHAPES)
    wrong = wrong or _otherwise(frame, alone, expected, " when asked for alone", COMPANY)
    message = wrong or f"{len(frame)} held-out rows were answered as in process."
    return find(PARITY, "service", not wrong, message)


def _otherwise(
    frame: "DataFrame", answered: list[float], expected: "ndarray", how: str, remedy: str
) -> str | None:
    """Say what is wrong with answers that are not the expected ones."""
    far = [abs(a - e) / max(1.0, abs(e)) for a, e in zip(answered, expected, strict=True)]
    worst = max(range(len(far)), key=far.__getitem__)
    if far[worst] <= TOLERANCE:
        return None
    count = sum(distance > TOLERANCE for distance in far)
    return (
        f"{count} of {len(frame)} held-out rows are answered otherwise{how}, such as "
        f"{answered[worst]:g} over HTTP and {expected[worst]:g} in process for "
        f"{json.dumps(as_sent(frame)[worst])}. {remedy}"
    )


def _ask(source: Path, rows: list[dict], seconds: float) -> tuple[list[float], list[float]]:
    """Return the scores that a service, started for this and ended after it, gives the rows.

    First to all of them in one request, then to each in a request of its own. Raises OSError with
    what the service printed where it does not answer as it should.
    """
    with tempfile.TemporaryDirectory() as home, _service(source, Path(home)) as url:
        try:
            together = client.predict(url, rows, seconds)["predictions"]
            alone = [client.predict(url, [row], seconds)["predictions"][0] for row in rows]
            return [one["score"] for one in together], [one["score"] for one in alone]
        except (OSError, HTTPException, ValueError, KeyError) as error:
            printed = Path(home, SAID).read_text("utf-8", errors="replace")
            raise OSError(f"{error}; it said: {failure(printed, 'nothing', source)}") from error


@contextmanager
def _service(source: Path, home: Path) -> Iterator[str]:
    """Yield the address of a service that writes into a folder only; it is gone afterwards."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLOPS_")}
    kept.pop("PYTHONPATH", None)
    quick = {"OTEL_SDK_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    # A file, for a service that says much would wait for the reader of a pipe.
    with socket.create_server(("127.0.0.1", 0)) as listener, Path(home, SAID).open("wb") as said:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(  # pylint: disable=consider-using-with  # ended below
            [sys.executable, "-m", "mlops.serving.alone", f"--fd={listener.fileno()}"],
            cwd=source,
            env={**kept, **quick, "BENTOML_HOME": str(home)},
            pass_fds=(listener.fileno(),),
            stdout=said,  # where BentoML logs
            stderr=said,
        )
    # The listener is the service's alone now: should it end, the request fails at once.
    try:
        yield url
    finally:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
