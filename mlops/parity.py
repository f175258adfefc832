"""Does the packed model answer over HTTP what it answers in process? Asked with real rows.

Training and serving see rows in other shapes, a DataFrame and lists from JSON; a model that treats
them differently is wrong in production only.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.statistics.latency import as_sent
from mlops.rules import PARITY, Finding, find

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

ROWS = 50
# Scores of one model differ by rounding at most: JSON holds every digit.
TOLERANCE = 1e-6


def sample(frame: "DataFrame", most: int) -> "DataFrame":
    """Return some rows from all over a frame, no more than one request may hold."""
    count = min(ROWS, most, len(frame))
    return frame.iloc[:: len(frame) // count][:count]


def compare(source: Path, frame: "DataFrame", expected: "ndarray", seconds: float) -> Finding:
    """Serve the unpacked bundle's `src` folder and find whether it answers what is expected.

    The frame holds features (rows,), expected the scores in process (rows,).
    """
    try:
        answered = _ask(source, as_sent(frame), seconds)
    except (OSError, HTTPException, ValueError, KeyError) as error:
        message = f"The service gave no answer to {len(frame)} held-out rows: {error}."
        return find(PARITY, "service", False, message)
    far = [abs(a - e) / max(1.0, abs(e)) for a, e in zip(answered, expected, strict=True)]
    worst = max(range(len(far)), key=far.__getitem__)
    if far[worst] <= TOLERANCE:
        message = f"{len(frame)} held-out rows were answered as in process."
        return find(PARITY, "service", True, message)
    count = sum(distance > TOLERANCE for distance in far)
    message = (
        f"{count} of {len(frame)} held-out rows are answered otherwise, such as "
        f"{answered[worst]:g} over HTTP and {expected[worst]:g} in process for "
        f"{json.dumps(as_sent(frame)[worst])}. model.predict must treat a DataFrame and a dict of "
        "lists, missing values None, alike."
    )
    return find(PARITY, "service", False, message)


def _ask(source: Path, rows: list[dict], seconds: float) -> list[float]:
    """Return the scores that a service, started for this and ended after it, gives the rows."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLOPS_")}
    kept.pop("PYTHONPATH", None)
    quick = {"OTEL_SDK_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/predict"
        process = subprocess.Popen(  # pylint: disable=consider-using-with  # ended below
            [sys.executable, "-m", "mlops.serving.alone", str(listener.fileno())],
            cwd=source,
            env={**kept, **quick},
            pass_fds=(listener.fileno(),),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    # The listener is the service's alone now: should it end, the request fails at once.
    try:
        return _post(url, rows, seconds)
    except (OSError, HTTPException) as error:
        process.terminate()
        words = process.communicate()[1].strip().splitlines()
        raise OSError(f"{error}; it said: {words[-1] if words else 'nothing'}") from error
    finally:
        process.terminate()
        process.communicate()


def _post(url: str, rows: list[dict], seconds: float) -> list[float]:
    body = json.dumps({"rows": rows}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    # A proxy for the internet is in the way of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=seconds) as response:
            return [one["score"] for one in json.load(response)["predictions"]]
    except urllib.error.HTTPError as error:
        with error:
            raise ValueError(
                f"{error.code} {error.read().decode(errors='replace')[:300]}"
            ) from None
