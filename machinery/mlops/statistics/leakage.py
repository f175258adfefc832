"""How well each feature alone predicts the outcome: a leak does so suspiciously well."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.serving.answer import CLASSES, Answer
from mlops.statistics.vectors import components, is_vector

if TYPE_CHECKING:
    from pandas import DataFrame, Series

BINS = 50
# With fewer, bins are often empty in the other half, which hides a leak in few rows.
ROWS_A_BIN = 10
# The mean of all rows counts as one more row in each bin, so that an empty bin has a mean.
PRIOR_ROWS = 1
HALVINGS, SEED = 5, 0


def strengths(
    frame: "DataFrame",
    features: tuple[str, ...],
    target: np.ndarray,
    groups: np.ndarray | None,
    answer: Answer = Answer(),
) -> dict[str, Any]:
    """Return the strength of each feature alone: the AUC for labels 0 and 1, else the R2.

    Of several outputs, or of classes each against the rest, the one counts that the feature
    predicts best.
    Each bin of the feature (or value, if it has few; missing is one more) is scored by the mean
    target of the same bin in the other half of the groups, so that no row predicts itself. Without
    groups it is the mean of a few halvings at random: one, such as every other row, is noise.
    """
    if answer.kind == CLASSES:
        target = np.eye(len(answer.names))[target]
    outcomes = target.astype(float).reshape(len(target), -1).T
    measure = "auc" if set(np.unique(outcomes)) <= {0.0, 1.0} else "r2"
    halvings = _halvings(len(target), groups)
    strength = {name: _strongest(frame[name], outcomes, halvings, measure) for name in features}
    return {
        "measure": measure,
        "strength": {
            name: value if np.isfinite(value) else None for name, value in strength.items()
        },
    }


def _halvings(rows: int, groups: np.ndarray | None) -> list[np.ndarray]:
    """Return for each halving the half, 0 or 1, that each row is in."""
    if groups is not None:
        return [np.unique(groups, return_inverse=True)[1] % 2]
    random = np.random.default_rng(SEED)
    return [random.permutation(rows) % 2 for _ in range(HALVINGS)]


def _bins(column: "Series") -> np.ndarray:
    """Return the bin number of each row, 0 where the value is missing."""
    import pandas as pd

    if column.dtype.kind not in "biuf":
        return pd.factorize(column)[0] + 1
    values = column.to_numpy(dtype=float)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(len(values), dtype=int)
    bins = min(BINS, max(2, int(finite.sum()) // ROWS_A_BIN))
    edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, bins + 1)))
    return np.where(finite, np.searchsorted(edges, values, side="right"), 0)


def _strongest(
    column: "Series", outcomes: np.ndarray, halvings: list[np.ndarray], measure: str
) -> float:
    """Return how well a column, of lists each of its positions, predicts one of the outcomes."""
    columns = components(column) if is_vector(column) else [column]
    strengths_ = [
        float(np.mean([_strength(bins, outcome, half, measure) for half in halvings]))
        for bins in map(_bins, columns)
        for outcome in outcomes
    ]
    return max(filter(np.isfinite, strengths_), default=float("nan"))


def _strength(bins: np.ndarray, target: np.ndarray, half: np.ndarray, measure: str) -> float:
    count, score = int(bins.max()) + 1, np.empty(len(target))
    for own in (0, 1):
        this_half, others = half == own, half != own
        if not others.any():
            return float("nan")
        rows = np.bincount(bins[others], minlength=count)
        sums = np.bincount(bins[others], target[others], count)
        means = (sums + PRIOR_ROWS * target[others].mean()) / (rows + PRIOR_ROWS)
        score[this_half] = means[bins[this_half]]
    return _auc(target, score) if measure == "auc" else _r2(target, score)


def _auc(target: np.ndarray, score: np.ndarray) -> float:
    _, rank = np.unique(score, return_inverse=True)
    high, low = np.bincount(rank, target), np.bincount(rank, 1 - target)
    pairs = high.sum() * low.sum()
    return float(high @ (np.cumsum(low) - low / 2) / pairs) if pairs else float("nan")


def _r2(target: np.ndarray, score: np.ndarray) -> float:
    # The mean of equal numbers may differ from them by rounding.
    spread = ((target - target.mean()) ** 2).sum() if np.ptp(target) else 0.0
    return float(1 - ((target - score) ** 2).sum() / spread) if spread else float("nan")
