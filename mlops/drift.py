"""How far the values of a column have moved: histograms of a reference, and the stability index.

A histogram is plain JSON: `edges` (numbers) or `values` (categories), and `rows`, the counts of
its bins. After those come two more: what lies beyond the last bin, and what is missing.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame, Series

Histogram = dict[str, Any]

# Deciles, as is usual; what takes no more values than that has a bin a value.
BINS = 10
# A column of names must not fill the record: only the most frequent have a bin of their own.
MOST_VALUES = 100
OTHERS, MISSING = "other values", "missing"


@dataclass(frozen=True)
class Drift:
    """The index of one column, and the bin whose share of the rows changed most."""

    column: str
    index: float
    bin: str
    expected: float
    found: float


def histograms(frame: "DataFrame") -> dict[str, Histogram]:
    """Return a histogram of every column, its bins chosen by these rows: the reference."""
    return {str(name): histogram(frame[name]) for name in frame.columns}


def histogram(column: "Series") -> Histogram:
    """Return a column's histogram: at deciles, or a bin a value where there are few or no order."""
    if _is_number(column):
        numbers = _numbers(column)
        finite = np.sort(numbers[np.isfinite(numbers)])
        if finite.size and 1 + np.count_nonzero(np.diff(finite)) > BINS:
            inner = [finite.size * part // BINS for part in range(1, BINS)]
            bins = {"edges": sorted(set(finite[inner].tolist()))}
            return {**bins, "rows": counts(bins, column)}
    often = _tally(column)
    # By frequency, then by name: the same rows in another order give the same record.
    values = sorted(often, key=lambda name: (-often[name], name))[:MOST_VALUES]
    return {"values": values, "rows": _in_bins(values, often, int(column.isna().sum()))}


def counts(bins: Histogram, column: "Series") -> list[int]:
    """Return how many rows fall into each bin of a histogram, those beyond, and those missing."""
    if "values" in bins:
        return _in_bins(bins["values"], _tally(column), int(column.isna().sum()))
    known, numbers = len(bins["edges"]), _numbers(column)
    places = np.searchsorted(bins["edges"], numbers, side="left")
    places[np.isnan(numbers)] = known + 1
    return np.bincount(places, minlength=known + 2).tolist()


def drift(name: str, reference: Histogram, column: "Series") -> Drift:
    """Return how far a column is from its reference; half a row in every bin avoids infinities."""
    expected, found = _shares(reference["rows"]), _shares(counts(reference, column))
    index = float(((found - expected) * np.log(found / expected)).sum())
    most = int(np.abs(found - expected).argmax())
    label = _labels(reference)[most]
    return Drift(name, index, label, float(expected[most]), float(found[most]))


def drifts(reference: dict[str, Histogram], frame: "DataFrame") -> list[Drift]:
    """Return the drift of each column that reference and frame share, the most drifted first."""
    shared = [name for name in frame.columns if name in reference]
    found = [drift(name, reference[name], frame[name]) for name in shared]
    return sorted(found, key=lambda one: (-one.index, one.column))


def _shares(rows: list[int]) -> np.ndarray:
    smoothed = np.asarray(rows) + 0.5
    return smoothed / smoothed.sum()


def _labels(bins: Histogram) -> list[str]:
    if "values" in bins:
        return [*bins["values"], OTHERS, MISSING]
    edges = [f"{edge:.6g}" for edge in bins["edges"]]
    between = [f"{low} to {high}" for low, high in zip(edges, edges[1:])]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}", MISSING]


def _is_number(column: "Series") -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return is_numeric_dtype(column) and not is_bool_dtype(column)


def _numbers(column: "Series") -> np.ndarray:
    return column.to_numpy(dtype=float, na_value=np.nan)


def _tally(column: "Series") -> Counter[str]:
    """Count values as text, numbers without a needless `.0`: a log may hold 2 for a 2.0."""
    as_text = "{:g}".format if _is_number(column) else str
    tally: Counter[str] = Counter()
    # Two values may look the same.
    for value, rows in column.value_counts().items():
        tally[as_text(value)] += int(rows)
    return tally


def _in_bins(values: list[str], tally: Counter[str], missing: int) -> list[int]:
    rows = [tally[value] for value in values]
    return [*rows, tally.total() - sum(rows), missing]
