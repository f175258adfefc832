"""Histograms of columns, which later rows are counted into.

A histogram is plain JSON: `edges` (numbers, or days since 1970 with `days`) or `values`
(categories), and `rows`, the counts of its bins. Two more bins follow: values beyond the last bin,
and missing values. That of a free text has `words` (texts.py), and no value of the column.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.statistics import texts, vectors

if TYPE_CHECKING:
    from pandas import Series

Histogram = dict[str, Any]

# Deciles, as is common; a column with no more values than that has one bin for each.
BINS = 10
# A column of names must not fill the record: only the most frequent have a bin of their own.
MOST_VALUES = 100
OTHERS, MISSING = "other values", "missing"


def histogram(column: "Series", min_rows: int = 1, text: bool = False) -> Histogram:
    """Return a column's histogram: by deciles, or by value for few values or unordered ones."""
    bins = bins_of(column, min_rows, text)
    return {**bins, "rows": counts(bins, bin_numbers(bins, column))}


def bins_of(column: "Series", min_rows: int = 1, text: bool = False) -> Histogram:
    """Return the bins of a column's histogram, without the counts.

    A text in fewer rows than `min_rows` has no bin, since a rare one may identify a person. A free
    text has bins for its length and its share of words that fewer rows have.
    """
    if text:
        return texts.bins_of(column, min_rows)
    column = plain(column)
    if is_day(column):
        return {"days": True, "edges": _edges(_numbers(column)) or [0.0]}
    if is_number(column) and (edges := _edges(_numbers(column), BINS)):
        return {"edges": edges}
    frequencies = column.value_counts()
    if not is_number(column):
        frequencies = frequencies[frequencies >= min_rows]
    names = zip(map(_name, frequencies.index.tolist()), frequencies.tolist())
    # By frequency, then by name: the same rows in another order give the same bins.
    ranked = sorted(names, key=lambda pair: (-pair[1], pair[0]))
    return {"values": list(dict.fromkeys(name for name, _ in ranked))[:MOST_VALUES]}


def _edges(numbers: np.ndarray, more_than: int = 0) -> list[float]:
    """Return the deciles of the finite numbers; none where they have few values."""
    finite = np.sort(numbers[np.isfinite(numbers)])
    if not finite.size or 1 + np.count_nonzero(np.diff(finite)) <= more_than:
        return []
    inner = [finite.size * part // BINS for part in range(1, BINS)]
    return sorted(set(finite[inner].tolist()))


def bin_numbers(bins: Histogram, column: "Series") -> np.ndarray:
    """Return the bin of each row (rows,): the last but one lies beyond, the last is missing."""
    if "words" in bins:
        return texts.bin_numbers(bins, column)
    column = plain(column)
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
    return len(labels(bins))


def labels(bins: Histogram) -> list[str]:
    """Return a label for each bin."""
    if "words" in bins:
        return [*texts.labels(bins), MISSING]
    if "values" in bins:
        return [*bins["values"], OTHERS, MISSING]
    edges = [_day(edge) if "days" in bins else f"{edge:.6g}" for edge in bins["edges"]]
    between = [f"{low} to {high}" for low, high in zip(edges, edges[1:])]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}", MISSING]


def frequent(column: "Series", min_rows: int) -> "Series":
    """Return a column of texts whose values in fewer rows than `min_rows` are one value, others."""
    rows = column.map(column.value_counts())
    return column.astype(object).where(column.isna() | (rows >= min_rows), OTHERS)


def plain(column: "Series") -> "Series":
    """Return a column of lists as the norms of these, any other column as it is."""
    return vectors.norms(column) if vectors.is_vector(column) else column


def is_number(column: "Series") -> bool:
    """Return whether a column's values are ordered numbers; booleans count as categories."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return is_numeric_dtype(column) and not is_bool_dtype(column)


def is_day(column: "Series") -> bool:
    """Return whether a column holds days or times."""
    from pandas.api.types import is_datetime64_any_dtype

    return is_datetime64_any_dtype(column)


def as_number(column: "Series", text: bool = False) -> "Series":
    """Return a column with days since 1970 for its times and, of a free text, its length."""
    import pandas as pd

    if text:
        return texts.lengths(column)
    return pd.Series(_numbers(column), column.index) if is_day(column) else plain(column)


def _numbers(column: "Series") -> np.ndarray:
    import pandas as pd

    if is_day(column):
        if column.dt.tz is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return ((column - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(float)
    return column.to_numpy(dtype=float, na_value=np.nan)


def _day(number: float) -> str:
    return str(np.datetime64(0, "D") + np.timedelta64(int(number // 1), "D"))


def _name(value: Any) -> str:
    """Return a value as text, a number without a trailing `.0`: a log may hold 2 for 2.0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.12g}" if number else str(value)
