"""How far a column's values have moved, by the population stability index (PSI) of histograms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlops.statistics.histograms import (
    Histogram,
    bin_numbers,
    bins_of,
    counts,
    labels,
    size,
)

if TYPE_CHECKING:
    from pandas import DataFrame, Series

STRETCHES = 100
# A smaller index means nothing: a few hundred rows reach it by chance.
LEAST = 0.1
# A word of fewer rows is unusual; with fewer, the words of the rows before would never be.
TEXT_ROWS = 10


@dataclass(frozen=True)
class Drift:
    """A column's index, the largest in the reference, and the bin whose share changed most."""

    column: str
    index: float
    usual: float
    bin: str
    expected: float
    observed: float

    @property
    def times(self) -> float:
        """The index as a multiple of the usual one."""
        return self.index / max(self.usual, LEAST)

    def as_dict(self) -> dict[str, str | float]:
        """Return it as plain values for the record."""
        return {
            "column": self.column,
            "index": self.index,
            "usual": self.usual,
            "bin": self.bin,
            "expected": self.expected,
            "found": self.observed,
            "times": self.times,
        }


def psi(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the population stability index between counts (..., bins), half a row in each bin."""
    expected, observed = _shares(before), _shares(after)
    return ((observed - expected) * np.log(observed / expected)).sum(axis=-1)


def references(
    frame: "DataFrame", stretch: int, min_rows: int = 1, text: Sequence[str] = ()
) -> dict[str, Histogram]:
    """Return a histogram of each column with its `usual` index, to compare later rows with.

    The usual index is the largest between `stretch` consecutive rows and all others, so that a
    seasonal change does not count as drift. A text in fewer rows than `min_rows` is not named, and
    `text` names the columns of free texts.
    """
    return {
        str(name): _reference(frame[name], stretch, bins_of(frame[name], min_rows, name in text))
        for name in frame.columns
    }


def _reference(column: "Series", stretch: int, bins: Histogram) -> Histogram:
    numbers, half = bin_numbers(bins, column), len(column) // 2
    # A stretch of more than half of the rows would be compared with fewer rows than it has; very
    # short stretches would be too many.
    length = max(1, min(max(stretch, len(column) // STRETCHES), half))
    stretches = numbers[: len(numbers) // length * length].reshape(-1, length)
    rows = np.asarray(counts(bins, numbers))
    parts = np.array([counts(bins, part) for part in stretches])
    usual = float(psi(rows - parts, parts).max()) if half else 0.0
    return {**bins, "rows": rows.tolist(), "usual": round(usual, 6)}


def drifts(reference: dict[str, Histogram], frame: "DataFrame") -> list[Drift]:
    """Return the drift of each column that both have, the largest multiple of its usual first."""
    shared = [name for name in frame.columns if name in reference]
    columns = [drift(name, reference[name], frame[name]) for name in shared]
    return sorted(columns, key=lambda one: (-one.times, one.column))


def drift(name: str, reference: Histogram, column: "Series") -> Drift:
    """Return the drift of a column from its reference."""
    before = np.asarray(reference["rows"])
    after = np.asarray(counts(reference, bin_numbers(reference, column)))
    expected, observed = _shares(before), _shares(after)
    most = int(np.abs(observed - expected).argmax())
    return Drift(
        column=name,
        index=float(psi(before, after)),
        usual=reference.get("usual", 0.0),
        bin=labels(reference)[most],
        expected=float(expected[most]),
        observed=float(observed[most]),
    )


def drift_by_day(
    before: "Series",
    days_before: np.ndarray,
    after: "Series",
    days_after: np.ndarray,
    *,
    text: bool = False,
) -> tuple[float, float]:
    """Return the index of the values `after` against those `before`, and the usual index.

    Days are (rows,). The bins are those of the values before; `text`: they are free texts.
    """
    bins = bins_of(before, min_rows=TEXT_ROWS if text else 1, text=text)
    daily_before, daily_after = (
        _daily_counts(bins, column, days)
        for column, days in ((before, days_before), (after, days_after))
    )
    index = float(psi(daily_before.sum(axis=0), daily_after.sum(axis=0)))
    return index, usual_by_day(daily_before, len(daily_after))


def _daily_counts(bins: Histogram, column: "Series", days: np.ndarray) -> np.ndarray:
    """Return the number of values in each bin on each day: (days, bins)."""
    _, day = np.unique(days, return_inverse=True)
    width, height = size(bins), int(day.max()) + 1
    cells = day * width + bin_numbers(bins, column)
    return np.bincount(cells, minlength=height * width).reshape(height, width)


def usual_by_day(daily: np.ndarray, days: int) -> float:
    """Return the largest index between so many consecutive days and all other days.

    `daily` is (days, bins). A stretch is at most half of the days. With one day there is no
    baseline, so the result is 0.
    """
    if len(daily) < 2:
        return 0.0
    length = max(1, min(days, len(daily) // 2))
    running = np.vstack([np.zeros(daily.shape[1]), daily.cumsum(axis=0)])
    stretches = running[length:] - running[:-length]
    return float(psi(daily.sum(axis=0) - stretches, stretches).max())


def _shares(rows: np.ndarray) -> np.ndarray:
    smoothed = rows + 0.5
    return smoothed / smoothed.sum(axis=-1, keepdims=True)
