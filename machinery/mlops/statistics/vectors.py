"""Columns whose values are lists of numbers, such as embeddings or short series.

Such a column is compared by the lengths of its vectors (the Euclidean norm), one number a row:
another scale, unit or source shows there.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pandas import Series


def is_vector(column: "Series") -> bool:
    """Return whether a column holds lists of numbers."""
    if column.dtype != object:
        return False
    first = next((value for value in column if value is not None), None)
    return isinstance(first, list | tuple | np.ndarray)


def norms(column: "Series") -> "Series":
    """Return the Euclidean norm of each list, NaN for a missing one."""
    import pandas as pd

    lengths = [np.nan if v is None or np.ndim(v) == 0 else np.linalg.norm(v) for v in column]
    return pd.Series(lengths, column.index, dtype=float)


def components(column: "Series") -> list["Series"]:
    """Return each position of the lists as a column of numbers, NaN where a list is missing."""
    import pandas as pd

    lists = column.dropna()
    matrix = pd.DataFrame(np.array(lists.tolist(), dtype=float), index=lists.index)
    return [matrix[position].reindex(column.index) for position in matrix]


def misshapen(column: "Series", length: int) -> int:
    """Return how many values are no list of so many finite numbers; missing ones do not count."""
    return sum(not _is_fit(value, length) for value in column.dropna())


def _is_fit(value: object, length: int) -> bool:
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return False
    return numbers.shape == (length,) and bool(np.isfinite(numbers).all())
