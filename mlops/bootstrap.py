"""Intervals by a paired bootstrap over groups of dependent rows.

Rows of one day share weather and congestion, so whole groups are drawn with replacement
(Davison and Hinkley 1997, section 3.8); candidate and champion get the same draws, so that what they share
cancels in the difference.
"""

from dataclasses import dataclass

import numpy as np

from mlops.metrics import Metric

# Rows as their own groups: the pairwise AUC needs groups squared numbers, so it gets fewer, random ones.
MOST_GROUPS = 1000


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `undefined` is the share of replicates that had no value."""

    value: float
    low: float
    high: float
    undefined: float = 0.0


def groups_of(values: np.ndarray | None, rows: int, seed: int) -> tuple[np.ndarray, int]:
    """Return a group number a row and how many groups there are.

    Without a column of groups rows count as independent; any random assignment of independent rows
    to equal groups then has the right variance, and 1,000 groups are enough to estimate it.
    """
    if values is None:
        count = min(rows, MOST_GROUPS)
        return np.random.default_rng(seed).permutation(rows) % count, count
    _, numbers = np.unique(values, return_inverse=True)
    return numbers, int(numbers.max()) + 1


def draws(groups: int, replicates: int, seed: int) -> np.ndarray:
    """Return how often each replicate drew each group: float (replicates, groups)."""
    shares = np.full(groups, 1 / groups)
    return np.random.default_rng(seed).multinomial(groups, shares, replicates).astype(float)


class Comparison:
    """Scores of one or two models on the same rows, ready to be resampled."""

    def __init__(self, target, group, groups, *, replicates, confidence, seed) -> None:
        """Fix rows, groups and draws; target and group are (rows,)."""
        self._target, self._group, self._groups = target, group, groups
        self._tails = (0.5 - confidence / 2, 0.5 + confidence / 2)
        self._weights = draws(groups, replicates, seed)

    def estimates(
        self, metric: Metric, candidate: np.ndarray, champion: np.ndarray | None
    ) -> dict[str, Estimate]:
        """Return the estimates of `candidate` and, given a champion's scores, `champion` and `difference`."""
        found = {"candidate": self._replicate(metric, candidate)}
        if champion is not None:
            found["champion"] = self._replicate(metric, champion)
            found["difference"] = found["candidate"] - found["champion"]
        return {name: self._summary(values) for name, values in found.items()}

    def value(self, metric: Metric, score: np.ndarray) -> float:
        """Return a metric on all rows, without an interval."""
        weighted = metric.prepare(self._target, score, self._group, self._groups)
        return float(weighted(np.ones((1, self._groups)))[0])

    def _replicate(self, metric: Metric, score: np.ndarray) -> np.ndarray:
        weights = np.vstack([np.ones(self._groups), self._weights])
        # Sorting would give a score that is no number some place in the ranking.
        if not np.isfinite(score).all():
            return np.full(len(weights), np.nan)
        return metric.prepare(self._target, score, self._group, self._groups)(weights)

    def _summary(self, values: np.ndarray) -> Estimate:
        replicates = values[1:]
        defined = replicates[np.isfinite(replicates)]
        if not defined.size:
            return Estimate(float(values[0]), float("nan"), float("nan"), 1.0)
        low, high = np.quantile(defined, self._tails)
        undefined = 1 - defined.size / replicates.size
        return Estimate(float(values[0]), float(low), float(high), undefined)
