"""How far what was served is from what was trained on, by day; computes and reads nothing.

Days, not rows, are what repeats: rows of one day share weather and congestion, so two halves of
one month differ in every row-wise test. Hence a column is measured against how much it changes
between stretches of days in training, and a classifier is tested on days it has not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlops.statistics.drift import LEAST, Histogram, histogram, is_number, places, psi

if TYPE_CHECKING:
    from pandas import DataFrame

# Rows of each kind that the classifier is shown, and how often the days are split.
SAMPLE = 20_000
SPLITS = 2
# What HistGradientBoostingClassifier takes.
MOST_CATEGORIES = 254


@dataclass(frozen=True)
class Shift:
    """A column's population stability index, and the largest between stretches of training."""

    column: str
    psi: float
    usual: float

    @property
    def times(self) -> float:
        """How many times the usual it is."""
        return self.psi / max(self.usual, LEAST)

    def as_dict(self) -> dict[str, str | float]:
        """Return it as JSON can hold it."""
        return {"column": self.column, "psi": self.psi, "usual": self.usual, "times": self.times}


@dataclass(frozen=True)
class Rows:
    """Some rows: their features, and the day of each as text that sorts."""

    frame: "DataFrame"
    days: np.ndarray

    def sample(self, most: int, random: np.random.Generator) -> "Rows":
        """Return at most so many of the rows, in their order."""
        if len(self.days) <= most:
            return self
        chosen = np.sort(random.choice(len(self.days), most, replace=False))
        return Rows(self.frame.iloc[chosen], self.days[chosen])


def shift(column: str, trained: Rows, served: Rows) -> Shift:
    """Compare one column; bins are those of the training rows."""
    bins = histogram(trained.frame[column])
    before, after = (_per_day(bins, rows, column) for rows in (trained, served))
    index = float(psi(before.sum(axis=0), after.sum(axis=0)))
    return Shift(column, index, usual(before, len(after)))


def usual(counts: np.ndarray, days: int) -> float:
    """Return the largest index between so many consecutive days of training and all others.

    `counts` is (days, bins). With few days of training the stretch is at most half of them; of a
    single day nothing is usual.
    """
    if len(counts) < 2:
        return 0.0
    length = max(1, min(days, len(counts) // 2))
    running = np.vstack([np.zeros(counts.shape[1]), counts.cumsum(axis=0)])
    stretches = running[length:] - running[:-length]
    return float(psi(counts.sum(axis=0) - stretches, stretches).max())


def _per_day(bins: Histogram, rows: Rows, column: str) -> np.ndarray:
    """Return how many values each bin has on each day: (days, bins)."""
    _, day = np.unique(rows.days, return_inverse=True)
    size, days = len(bins["rows"]), int(day.max()) + 1
    at = day * size + places(bins, rows.frame[column])
    return np.bincount(at, minlength=days * size).reshape(days, size)


def told_apart(trained: Rows, served: Rows, columns: Sequence[str]) -> list[float]:
    """Return how well a classifier tells served from trained on days it has not seen (AUC).

    Half of all days train it, the other half test it, and the other way round; .5 is not at all,
    and a little below it is normal where neighbouring days are alike. Fewer than four days of
    either are too few to ask.
    """
    if min(len(np.unique(rows.days)) for rows in (trained, served)) < 4:
        return []
    random = np.random.default_rng(0)
    parts = [rows.sample(SAMPLE, random) for rows in (trained, served)]
    matrix, categorical = _matrix([rows.frame[list(columns)] for rows in parts])
    label = np.repeat([0, 1], [len(rows.days) for rows in parts])
    found = []
    for _ in range(SPLITS):
        half = np.concatenate([_half(rows.days, random) for rows in parts])
        found += [_auc(matrix, label, categorical, fit) for fit in (half, ~half)]
    return found


def _half(days: np.ndarray, random: np.random.Generator) -> np.ndarray:
    different = random.permutation(np.unique(days))
    return np.isin(days, different[: len(different) // 2])


def _matrix(frames: Sequence["DataFrame"]) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of all frames as numbers, and which of them are categories."""
    import pandas as pd

    joined = pd.concat(frames, ignore_index=True)
    categorical = np.array([not is_number(frames[0][name]) for name in joined])
    matrix = np.empty(joined.shape)
    for position, name in enumerate(joined):
        if categorical[position]:
            frequent = joined[name].value_counts().index[:MOST_CATEGORIES]
            codes = {value: code for code, value in enumerate(frequent)}
            matrix[:, position] = joined[name].map(codes).to_numpy(float, na_value=np.nan)
        else:
            matrix[:, position] = joined[name].to_numpy(float, na_value=np.nan)
    return matrix, categorical


def _auc(matrix: np.ndarray, label: np.ndarray, categorical: np.ndarray, fit: np.ndarray) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    # Of no value at all it cannot make bins.
    some = ~np.isnan(matrix[fit]).all(axis=0)
    if not some.any():
        return 0.5
    matrix = matrix[:, some]
    model = HistGradientBoostingClassifier(
        max_iter=40,
        max_leaf_nodes=15,
        categorical_features=categorical[some],
        class_weight="balanced",
        early_stopping=False,
        random_state=0,
    )
    # Fitted in a third of a second; many threads beside other work wait longer for each other.
    with threadpool_limits(1):
        model.fit(matrix[fit], label[fit])
    return float(roc_auc_score(label[~fit], model.predict_proba(matrix[~fit])[:, 1]))
