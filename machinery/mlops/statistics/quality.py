"""The profile of a partition, by which the rules of data quality compare it with earlier ones."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame, Series

# A column with more distinct texts holds names or remarks, not categories.
MOST_CATEGORIES = 1000


@dataclass(frozen=True)
class Profile:
    """The statistics of a partition; `hashes` has one for each row, computed without its time.

    A column is `frozen` if it has one value in several rows, and `varied` if it has several values.
    """

    rows: int
    missing: dict[str, float]
    categories: dict[str, dict[str, int]]
    frozen: dict[str, str]
    varied: frozenset[str]
    hashes: "ndarray"


def profile(frame: "DataFrame", time: str) -> Profile:
    """Reduce the rows of a partition to its profile."""
    import pandas as pd

    frame = frame.drop(columns=time)
    categories = {
        name: counts.to_dict()
        for name in frame.columns
        if frame[name].dtype.kind not in "biufM"
        and len(counts := _counts(frame[name])) <= MOST_CATEGORIES
    }
    present = {name: frame[name].dropna() for name in frame.columns}
    varied = frozenset(name for name, values in present.items() if _several(values))
    return Profile(
        rows=len(frame),
        missing=frame.isna().mean().to_dict(),
        categories=categories,
        frozen={
            name: _literal(values.iloc[0])
            for name, values in present.items()
            if len(values) > 1 and name not in varied
        },
        varied=varied,
        hashes=pd.util.hash_pandas_object(frame, index=False).to_numpy(),
    )


def _counts(column: "Series") -> "Series":
    counts = column.value_counts()
    # A categorical type also counts the categories that it only declares.
    return counts[counts > 0]


def _several(values: "Series") -> bool:
    return len(values) > 1 and bool((values.to_numpy() != values.iloc[0]).any())


def _literal(value: Any) -> str:
    # A Python value is easier to read: 0, not np.int64(0).
    return repr(value.item() if hasattr(value, "item") else value)
