"""Histograms of columns, which later rows are counted into.

A histogram is plain JSON: `edges` (numbers) or `values` (categories), and `rows`, the counts of
its bins. Two more bins follow: values beyond the last bin, and missing values.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import Series

Histogram = dict[str, Any]

# Deciles, as is common; a column with no more values than that has one bin for each.
BINS = 10
# A column of names must not fill the record: only the most frequent have a bin of their own.
MOST_VALUES = 100
OTHERS, MISSING = "other values", "missing"


def histogram(column: "Series", min_rows: int = 1) -> Histogram:
    """Return a column's histogram: by deciles, or by value for few values or unordered ones."""
    bins = bins_of(column, min_rows)
    return {**bins, "rows": counts(bins, bin_numbers(bins, column))}


def bins_of(column: "Series", min_rows: int = 1) -> Histogram:
    """Return the bins of a column's histogram, without the counts.

    A text in fewer rows than `min_rows` has no bin, since a rare one may identify a person.
    """
    if is_number(column):
        numbers = _numbers(column)
        finite = np.sort(numbers[np.isfinite(numbers)])
        if finite.size and 1 + np.count_nonzero(np.diff(finite)) > BINS:
            inner = [finite.size * part // BINS for part in range(1, BINS)]
            return {"edges": sorted(set(finite[inner].tolist()))}
    frequencies = column.value_counts()
    if not is_number(column):
        frequencies = frequencies[frequencies >= min_rows]
    names = zip(map(_name, frequencies.index.tolist()), frequencies.tolist())
    # By frequency, then by name: the same rows in another order give the same bins.
    ranked = sorted(names, key=lambda pair: (-pair[1], pair[0]))
    return {"values": list(dict.fromkeys(name for name, _ in ranked))[:MOST_VALUES]}


def bin_numbers(bins: Histogram, column: "Series") -> np.ndarray:
    """Return the bin of each row (rows,): the last but one lies beyond, the last is missing."""
    if "edges" in bins:
        beyond, numbers = len(bins["edges"]), _numbers(column)
        positions = np.searchsorted(bins["edges"], numbers, side="left")
        return np.where(np.isnan(numbers), beyond + 1, positions)
    import pandas as pd

    beyond = len(bins["values"])
    codes, values = pd.factorize(column)
    bin_of = dict(zip(bins["values"], range(beyond)))
    numbers = [bin_of.get(_name(value), beyond) for value in values.tolist()]
    # A missing value has the code -1, which selects the last number.
    return np.array([*numbers, beyond + 1])[codes]


def counts(bins: Histogram, numbers: np.ndarray) -> list[int]:
    """Return the number of rows in each bin, from the bin of each row."""
    return np.bincount(numbers, minlength=size(bins)).tolist()


def size(bins: Histogram) -> int:
    """Return the number of bins, those for values beyond and for missing ones included."""
    return len(bins["edges"] if "edges" in bins else bins["values"]) + 2


def labels(bins: Histogram) -> list[str]:
    """Return a label for each bin."""
    if "values" in bins:
        return [*bins["values"], OTHERS, MISSING]
    edges = [f"{edge:.6g}" for edge in bins["edges"]]
    between = [f"{low} to {high}" for low, high in zip(edges, edges[1:])]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}", MISSING]


def frequent(column: "Series", min_rows: int) -> "Series":
    """Return a column of texts whose values in fewer rows than `min_rows` are one value, others."""
    rows = column.map(column.value_counts())
    return column.astype(object).where(column.isna() | (rows >= min_rows), OTHERS)


def is_number(column: "Series") -> bool:
    """Return whether a column's values are ordered numbers; booleans count as categories."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return is_numeric_dtype(column) and not is_bool_dtype(column)


def _numbers(column: "Series") -> np.ndarray:
    return column.to_numpy(dtype=float, na_value=np.nan)


def _name(value: Any) -> str:
    """Return a value as text, a number without a trailing `.0`: a log may hold 2 for 2.0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.12g}" if number else str(value)
