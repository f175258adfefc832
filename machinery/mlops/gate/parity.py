"""The rule that the packaged model gives the same scores over HTTP as in process.

Serving differs from training in two ways: rows arrive as lists from JSON, not as a DataFrame, and
a row is scored alone or with the rows of concurrent requests, not with all held-out rows. A model
that depends on either is wrong in production only.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import failure
from mlops.files import write_json
from mlops.paths import PARITY_ROW
from mlops.rules import Finding, Rule
from mlops.serving.answer import scores_of
from mlops.statistics.latency import as_sent

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

PARITY = Rule("B101", "The packaged model gives the same scores over HTTP as in process.")
ROWS = 50
# Scores of one model differ by rounding at most: JSON keeps every digit.
TOLERANCE = 1e-6
SHAPES = (
    "model.predict must treat a DataFrame and a dict of lists, missing values None, alike; with "
    "FRAME = True in model/__init__.py it gets a DataFrame in both places."
)
COMPANY = (
    "model.predict must score a row independently of the other rows in the call. pandas makes "
    "another type of a missing value that stands alone; with FRAME = True in model/__init__.py "
    "model.predict gets a DataFrame with the types of training."
)


@dataclass(frozen=True)
class Way:
    """A way to have rows scored: where the scores come from, and what to do if they are others."""

    source: str
    remedy: str
    how: str = ""
    tolerance: float = TOLERANCE


OUTPUT = "stderr"
# A value of a row, as the service repeats it in an answer, which may be cut off.
VALUE = re.compile(r'("found": ?)(?:"(?:[^"\\]|\\.)*"?|[^,}\]]+)')
# A service that has not ended this long after SIGTERM is killed.
GRACE_SECONDS = 5.0


def sample(frame: "DataFrame", most: int, nullable: Sequence[str] = ()) -> "DataFrame":
    """Return evenly spaced rows of a frame, at most as many as one request may hold.

    In each nullable column one row at least has no value: if none of these lacks it, one loses it.
    """
    import numpy as np

    count = min(ROWS, most, len(frame))
    rows = frame.iloc[:: len(frame) // count][:count].copy()
    whole = [name for name in nullable if rows[name].notna().all()]
    for number, name in enumerate(whole):
        # NumPy has no missing whole number or boolean, whatever the schema allows.
        dtype = rows[name].dtype
        if not isinstance(dtype, np.dtype) or dtype.kind == "f":
            rows.iloc[number % count, rows.columns.get_loc(name)] = None
    return rows


def compare(
    source: Path,
    frame: "DataFrame",
    expected: "ndarray",
    seconds: float,
    tolerance: float = TOLERANCE,
) -> Finding:
    """Serve the unpacked bundle's `src` folder and compare its scores with the expected ones.

    The frame holds features (rows,), expected the scores in process (rows, ...).
    """
    # Imported here: every step imports the gate, and this comes with http.client.
    try:
        together, alone = _request_scores(source, as_sent(frame), seconds)
    except OSError as error:
        message = f"The service did not score {len(frame)} held-out rows: {error}"
        return PARITY.finding("service", False, message)
    ways = {
        Way("over HTTP", SHAPES, tolerance=tolerance): together,
        Way("over HTTP", COMPANY, " when sent alone", tolerance): alone,
    }
    problems = (difference(frame, scores, expected, way) for way, scores in ways.items())
    problem = next(filter(None, problems), None)
    message = problem or f"{len(frame)} held-out rows have the same scores as in process."
    return PARITY.finding("service", not problem, message)


def difference(
    frame: "DataFrame", scores: Sequence[Any], expected: "ndarray", way: Way
) -> str | None:
    """Describe the largest difference between a way's scores and the expected, if there is one."""
    import numpy as np

    answered, expected = np.array(scores), expected.reshape(len(frame), -1)
    if answered.size != expected.size or len(answered) != len(frame):
        return f"There are {answered.shape} numbers {way.source}, {expected.shape} in process."
    answered = answered.reshape(expected.shape)
    distances = np.abs(answered - expected) / np.maximum(1.0, np.abs(expected))
    worst, number = divmod(int(distances.argmax()), distances.shape[1])
    if distances[worst, number] <= way.tolerance:
        return None
    # One that is no number differs too.
    count = int((~(distances <= way.tolerance)).any(axis=1).sum())
    # A message is public where the repository is; the file stays on this machine.
    write_json(PARITY_ROW, as_sent(frame)[worst])
    return (
        f"{count} of {len(frame)} held-out rows have other scores{way.how}, such as "
        f"{answered[worst, number]:g} {way.source} and {expected[worst, number]:g} in process for "
        f"row {worst + 1} of them, which {PARITY_ROW} holds. {way.remedy}"
    )


def _request_scores(
    source: Path, rows: list[dict], seconds: float
) -> tuple[list[Sequence[float]], list[Sequence[float]]]:
    """Return the scores that a service gives the rows: all in one request, then each alone.

    Raises OSError with the service's output where it does not answer with scores.
    """
    from http.client import HTTPException

    from mlops.serving import client

    with tempfile.TemporaryDirectory() as home, _service(source, Path(home)) as url:
        try:
            together = client.predict(url, rows, seconds)["predictions"]
            alone = [client.predict(url, [row], seconds)["predictions"][0] for row in rows]
            return list(map(scores_of, together)), list(map(scores_of, alone))
        except (OSError, HTTPException, ValueError, KeyError) as error:
            printed = Path(home, OUTPUT).read_text("utf-8", errors="replace")
            problem = VALUE.sub(r"\1...", str(error))
            raise OSError(
                f"{problem}; it printed: {failure(printed, 'nothing', source)}"
            ) from error


@contextmanager
def _service(source: Path, home: Path) -> Iterator[str]:
    """Yield the URL of a service that writes into one folder only; it is ended afterwards."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLOPS_")}
    inherited.pop("PYTHONPATH", None)
    added = {
        "OTEL_SDK_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "BENTOML_HOME": str(home),
    }
    # A file: a service that prints much would block on a pipe that nobody reads.
    with socket.create_server(("127.0.0.1", 0)) as listener, Path(home, OUTPUT).open("wb") as log:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(  # pylint: disable=consider-using-with  # ended below
            [sys.executable, "-m", "mlops.serving.alone", f"--fd={listener.fileno()}"],
            cwd=source,
            env=inherited | added,
            pass_fds=(listener.fileno(),),
            stdout=log,  # where BentoML logs
            stderr=log,
        )
    # Only the service holds the listener now: if it ends, a request fails at once.
    try:
        yield url
    finally:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
