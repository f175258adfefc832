"""The profile of a partition, by which the rules of data quality compare it with earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# A column with more distinct texts holds names or remarks, not categories.
MOST_CATEGORIES = 1000
# A value in no more rows than this shows nothing about the next partition: names and remarks.
RARE = 2


@dataclass(frozen=True)
class Commonest:
    """A column's commonest value: the rows that have it, of those with any value.

    `changes` counts the neighbours in time of which one has the value and the other has not.
    """

    value: str
    rows: int
    present: int
    changes: int


@dataclass(frozen=True)
class Profile:
    """The statistics of a partition; `hashes` has one for each row, computed without its time.

    A column is `frozen` if it has one value in several rows (their number is kept), and has a
    `commonest` value if it has several values. `text` names the free texts.
    """

    rows: int
    missing: dict[str, float]
    categories: dict[str, dict[str, int]]
    frozen: dict[str, tuple[str, int]]
    commonest: dict[str, Commonest]
    hashes: np.ndarray
    text: frozenset[str] = frozenset()


def profile(frame: "DataFrame", time: str, text: Sequence[str] = ()) -> Profile:
    """Reduce the rows of a partition to its profile; `text` names free texts, no categories."""
    import pandas as pd

    order = _in_time(frame[time])
    frame = frame.drop(columns=time)
    categories = {
        name: counts.to_dict()
        for name in frame.columns
        if name not in text
        and frame[name].dtype.kind not in "biufM"
        and len(counts := _counts(frame[name])) <= MOST_CATEGORIES
    }
    present = {name: frame[name].iloc[order].dropna() for name in frame.columns}
    varied = {name for name, values in present.items() if _several(values)}
    return Profile(
        rows=len(frame),
        missing=frame.isna().mean().to_dict(),
        categories=categories,
        frozen={
            name: (_literal(values.iloc[0]), len(values))
            for name, values in present.items()
            if len(values) > 1 and name not in varied
        },
        commonest={name: _commonest(present[name]) for name in present if name in varied},
        hashes=pd.util.hash_pandas_object(frame, index=False).to_numpy(),
        text=frozenset(text),
    )


def chance_of_one_value(value: str, rows: int, past: Sequence[Commonest]) -> float:
    """Return the probability that so many rows all have a value, as the past suggests.

    Estimated from a Markov chain of two states, since a value such as a holiday's comes in runs:
    the first row has the value, then no row leaves it. For independent rows with a share p of the
    value it is p to the power of the rows. 0 where the value was never the commonest.
    """
    same = [one for one in past if one.value == value]
    having = sum(one.rows for one in same)
    if not having:
        return 0.0
    share = having / sum(one.present for one in past)
    leaving = sum(one.changes for one in same) / (2 * having)
    return share * (1 - leaving) ** (rows - 1)


def share_of_rare(past: Sequence[dict[str, int]]) -> float:
    """Return the share of rows whose value occurs once or twice, from the counts of partitions.

    It estimates the share of new values among the next rows (Good 1953, The Population
    Frequencies of Species): about 0 for categories, about 1 for names and remarks.
    """
    total: dict[str, int] = {}
    for counts in past:
        for value, rows in counts.items():
            total[value] = total.get(value, 0) + rows
    rare = sum(rows for rows in total.values() if rows <= RARE)
    return rare / max(1, sum(total.values()))


def usual_twins(parts: Sequence[np.ndarray]) -> float:
    """Return the share of a partition's rows that equal a row of another one, in most of them.

    A single partition is compared half with half. It is the lower quartile, since one copied
    partition would make copies usual.
    """
    if len(parts) == 1:
        parts = np.array_split(parts[0], 2)
    rows, partitions = np.unique(np.concatenate(list(map(np.unique, parts))), return_counts=True)
    recurring = rows[partitions > 1]
    shares = [np.isin(part, recurring).mean() for part in parts if len(part)]
    return float(np.quantile(shares, 0.25, method="lower")) if shares else 0.0


def _in_time(times: "Series") -> np.ndarray:
    """Return the positions of the rows in time; rows of one time come in random order.

    A loader may sort rows of one day by a column, which would look like long runs of its values.
    """
    return np.lexsort((np.random.default_rng(0).random(len(times)), times.rank(method="dense")))


def _counts(column: "Series") -> "Series":
    counts = column.value_counts()
    # A categorical type also counts the categories that it only declares.
    return counts[counts > 0]


def _several(values: "Series") -> bool:
    return len(values) > 1 and bool((values.to_numpy() != values.iloc[0]).any())


def _commonest(values: "Series") -> Commonest:
    value = values.value_counts().index[0]
    has = (values == value).to_numpy(dtype=bool)
    changes = int(np.count_nonzero(has[1:] != has[:-1]))
    return Commonest(_literal(value), int(has.sum()), len(has), changes)


def _literal(value: Any) -> str:
    # A Python value is easier to read: 0, not np.int64(0).
    return repr(value.item() if hasattr(value, "item") else value)
