"""How far the values of a column have moved: histograms of a reference, and the stability index.

A histogram is plain JSON: `edges` (numbers) or `values` (categories), and `rows`, the counts of
its bins. After those come two more bins: what lies beyond the last, and what is missing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Histogram = dict[str, Any]

# Deciles, as is common; what takes no more values than that has a bin a value.
BINS = 10
# A column of names must not fill the record: only the most frequent have a bin of their own.
MOST_VALUES = 100
STRETCHES = 100
OTHERS, MISSING = "other values", "missing"
# Below this an index says nothing: a few hundred rows reach it by chance.
LEAST = 0.1


@dataclass(frozen=True)
class Drift:
    """A column's index, the largest in the reference, and the bin whose share changed most."""

    column: str
    index: float
    usual: float
    bin: str
    expected: float
    found: float

    @property
    def times(self) -> float:
        """How many times the usual it is."""
        return self.index / max(self.usual, LEAST)


def psi(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the population stability index between counts (..., bins), half a row in each bin."""
    expected, found = _shares(before), _shares(after)
    return ((found - expected) * np.log(found / expected)).sum(axis=-1)


def references(frame: "DataFrame", stretch: int) -> dict[str, Histogram]:
    """Return what later rows are compared with: a histogram of each column, and its `usual` index.

    That is the largest between `stretch` consecutive rows and all others: seasons are no news.
    """
    return {str(name): _reference(frame[name], stretch) for name in frame.columns}


def histogram(column: "Series") -> Histogram:
    """Return a column's histogram: at deciles, or a bin a value where there are few or no order."""
    bins = _bins(column)
    return {**bins, "rows": _counts(bins, places(bins, column))}


def places(bins: Histogram, column: "Series") -> np.ndarray:
    """Return the bin of each row (rows,): the last but one lies beyond, the last is missing."""
    if "edges" in bins:
        known, numbers = len(bins["edges"]), _numbers(column)
        found = np.searchsorted(bins["edges"], numbers, side="left")
        return np.where(np.isnan(numbers), known + 1, found)
    import pandas as pd

    known = len(bins["values"])
    codes, values = pd.factorize(column)
    place_of = dict(zip(bins["values"], range(known)))
    there = [place_of.get(_name(value), known) for value in values.tolist()]
    # What is missing has the code -1: the last.
    return np.array([*there, known + 1])[codes]


def drifts(reference: dict[str, Histogram], frame: "DataFrame") -> list[Drift]:
    """Return the drift of each column that both have, the one farthest beyond its usual first."""
    shared = [name for name in frame.columns if name in reference]
    found = [drift(name, reference[name], frame[name]) for name in shared]
    return sorted(found, key=lambda one: (-one.times, one.column))


def drift(name: str, reference: Histogram, column: "Series") -> Drift:
    """Return how far a column is from its reference."""
    before = np.asarray(reference["rows"])
    after = np.asarray(_counts(reference, places(reference, column)))
    expected, found = _shares(before), _shares(after)
    most = int(np.abs(found - expected).argmax())
    return Drift(
        column=name,
        index=float(psi(before, after)),
        usual=reference.get("usual", 0.0),
        bin=_labels(reference)[most],
        expected=float(expected[most]),
        found=float(found[most]),
    )


def _reference(column: "Series", stretch: int) -> Histogram:
    bins = _bins(column)
    there, half = places(bins, column), len(column) // 2
    # A stretch longer than half of the rows would be compared with less than itself; of very short
    # ones there would be very many.
    length = max(1, min(max(stretch, len(column) // STRETCHES), half))
    stretches = there[: len(there) // length * length].reshape(-1, length)
    rows = np.asarray(_counts(bins, there))
    parts = np.array([_counts(bins, part) for part in stretches])
    usual = float(psi(rows - parts, parts).max()) if half else 0.0
    return {**bins, "rows": rows.tolist(), "usual": round(usual, 6)}


def _bins(column: "Series") -> Histogram:
    if is_number(column):
        numbers = _numbers(column)
        finite = np.sort(numbers[np.isfinite(numbers)])
        if finite.size and 1 + np.count_nonzero(np.diff(finite)) > BINS:
            inner = [finite.size * part // BINS for part in range(1, BINS)]
            return {"edges": sorted(set(finite[inner].tolist()))}
    often = column.value_counts()
    names = zip(map(_name, often.index.tolist()), often.tolist())
    # By frequency, then by name: the same rows in another order give the same bins.
    ranked = sorted(names, key=lambda found: (-found[1], found[0]))
    return {"values": list(dict.fromkeys(name for name, _ in ranked))[:MOST_VALUES]}


def _counts(bins: Histogram, there: np.ndarray) -> list[int]:
    known = len(bins["edges"] if "edges" in bins else bins["values"])
    return np.bincount(there, minlength=known + 2).tolist()


def _shares(rows: np.ndarray) -> np.ndarray:
    smoothed = rows + 0.5
    return smoothed / smoothed.sum(axis=-1, keepdims=True)


def _labels(bins: Histogram) -> list[str]:
    if "values" in bins:
        return [*bins["values"], OTHERS, MISSING]
    edges = [f"{edge:.6g}" for edge in bins["edges"]]
    between = [f"{low} to {high}" for low, high in zip(edges, edges[1:])]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}", MISSING]


def is_number(column: "Series") -> bool:
    """Return whether a column's values are numbers, in an order; true and false are names."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return is_numeric_dtype(column) and not is_bool_dtype(column)


def _numbers(column: "Series") -> np.ndarray:
    return column.to_numpy(dtype=float, na_value=np.nan)


def _name(value: Any) -> str:
    """Return a value as text, a number without a needless `.0`: a log may hold 2 for a 2.0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.12g}" if number else str(value)
