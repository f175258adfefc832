"""How long one row takes in process: HTTP is added to it, and nothing makes it less."""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS = 300
# A slow model is timed on fewer rows, but never on so few that a percentile means nothing.
SECONDS, LEAST = 1.0, 20


def latency(
    predict: Callable[[Mapping[str, Sequence]], Any], frame: "DataFrame"
) -> dict[str, float]:
    """Return the median and the 99th percentile in ms of scoring single rows, as the service does.

    Raises UserError when the team's predict fails on a dict of lists.
    """
    import numpy as np

    step = max(1, len(frame) // ROWS)
    chosen = frame.iloc[::step][:ROWS]
    columns = [{name: [value] for name, value in row.items()} for row in as_sent(chosen)]
    try:
        predict(columns[0])
    except Exception as error:
        raise UserError(
            "model.predict fails on a dict of lists, which is how the service calls it: "
            f"{type(error).__name__}: {error}. Make it take a DataFrame and a dict of lists alike."
        ) from error
    taken, begun = [], perf_counter()
    for one in columns:
        start = perf_counter()
        predict(one)
        taken.append(1000 * (perf_counter() - start))
        if len(taken) >= LEAST and perf_counter() - begun > SECONDS:
            break
    middle, high = np.percentile(taken, (50, 99))
    return {"predict_p50_ms": round(float(middle), 3), "predict_p99_ms": round(float(high), 3)}


def as_sent(frame: "DataFrame") -> list[dict[str, Any]]:
    """Return rows as a client sends them: plain values, None where one is missing."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
