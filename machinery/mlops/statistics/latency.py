"""The time to score one row in process, which is the least that a request takes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame

Predict = Callable[[Mapping[str, Sequence]], Any]

ROWS, ROUNDS = 300, 5
# A slow model is timed on fewer rows, but on enough for a percentile, and in fewer rounds, but in
# two at least.
SECONDS, LEAST = 1.0, 20


def latency(predict: Predict, frame: "DataFrame") -> dict[str, float]:
    """Return the median and the 99th percentile in ms of scoring single rows, as the service does.

    The best time takes each row by its quickest round, the usual time the median of the rounds.
    Raises UserError if the team's predict fails on a dict of lists.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    step = max(1, len(frame) // ROWS)
    chosen = frame.iloc[::step][:ROWS]
    columns = [{name: [value] for name, value in row.items()} for row in as_records(chosen)]
    try:
        predict(columns[0])
    except Exception as error:
        raise UserError(
            "model.predict fails on a dict of lists, which is how the service calls it: "
            f"{type(error).__name__}: {error}. Make it take a DataFrame and a dict of lists alike, "
            "or write FRAME = True in model/__init__.py for a DataFrame there too."
        ) from error
    # One thread, as in the service: on a busy machine two threads wait for each other.
    with threadpool_limits(1):
        rounds = np.array(_rounds(predict, columns))
    best = np.percentile(rounds.min(axis=0), (50, 99))
    usual = np.median(np.percentile(rounds, (50, 99), axis=1), axis=1)
    names = (f"predict_{kind}{key}_ms" for kind in ("", "usual_") for key in ("p50", "p99"))
    return {name: round(float(value), 3) for name, value in zip(names, (*best, *usual))}


def _rounds(predict: Predict, columns: list[dict[str, list]]) -> list[list[float]]:
    """Return the times in ms of the same rows in every round; the first round limits the rows."""
    start, first = perf_counter(), []
    for one in columns:
        first.append(_timed(predict, one))
        if len(first) >= LEAST and perf_counter() - start > SECONDS:
            break
    rounds = [first]
    while len(rounds) < 2 or len(rounds) < ROUNDS and perf_counter() - start < ROUNDS * SECONDS:
        rounds.append([_timed(predict, one) for one in columns[: len(first)]])
    return rounds


def _timed(predict: Predict, one: dict[str, list]) -> float:
    start = perf_counter()
    predict(one)
    return 1000 * (perf_counter() - start)


def as_records(frame: "DataFrame") -> list[dict[str, Any]]:
    """Return rows as the service passes them on: plain values, None for a missing one."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def as_sent(frame: "DataFrame") -> list[dict[str, Any]]:
    """Return rows as they stand in JSON: days and times are text."""
    from mlops.serving.times import text_of

    return [
        {name: text_of(one) if isinstance(one, datetime) else one for name, one in row.items()}
        for row in as_records(frame)
    ]
