"""Intervals by a paired bootstrap over groups of dependent rows.

Rows of one day share weather and congestion, so whole groups are drawn with replacement (Davison
and Hinkley 1997, section 3.8); candidate and champion get the same draws, so that what they share
cancels in the difference.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mlops.config.params import EvaluateParams
from mlops.statistics.metrics import Metric

# The AUC needs groups squared numbers, so more groups than this are put together at random. This
# many tell a standard error to within 4 %.
MOST_GROUPS = 400


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `undefined` is the share of replicates that had no value."""

    value: float
    low: float
    high: float
    undefined: float = 0.0


def groups_of(values: np.ndarray | None, rows: int, seed: int) -> tuple[np.ndarray, int]:
    """Return the group that is drawn with each row (rows,) and how many of them there are."""
    return _together(*_numbered(values, rows), seed)


def _numbered(values: np.ndarray | None, rows: int) -> tuple[np.ndarray, int]:
    """Return a group number a row (rows,) and how many groups there are.

    Without a column of groups rows count as independent.
    """
    if values is None:
        return np.arange(rows), rows
    _, numbers = np.unique(values, return_inverse=True)
    return numbers, int(numbers.max()) + 1


def _together(numbers: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, int]:
    """Return groups put together at random until there are at most 400.

    What is independent stays so, so very many groups become few that have the same variance.
    """
    if count <= MOST_GROUPS:
        return numbers, count
    return (np.random.default_rng(seed).permutation(count) % MOST_GROUPS)[numbers], MOST_GROUPS


def draws(groups: int, replicates: int, seed: int) -> np.ndarray:
    """Return how often each replicate drew each group: float (replicates, groups)."""
    shares = np.full(groups, 1 / groups)
    return np.random.default_rng(seed).multinomial(groups, shares, replicates).astype(float)


def tails(confidence: float, groups: int) -> tuple[float, float]:
    """Return which quantiles of the replicates are the ends of an interval.

    Few groups make plain quantiles too narrow: replicates vary like a variance that was divided by
    groups, not by groups - 1, and like a normal, not Student's t. The quantiles are moved outwards
    by as much (Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 5.3).
    """
    from scipy.special import stdtrit  # pylint: disable=no-name-in-module  # it is compiled

    freedom = max(groups - 1, 1)
    ends = stdtrit(freedom, 0.5 + confidence / 2) * (groups / freedom) ** 0.5
    outside = NormalDist().cdf(-float(ends))
    return outside, 1 - outside


def estimate(values: np.ndarray, quantiles: tuple[float, float]) -> Estimate:
    """Return the first of the values (1 + replicates,) with the interval of the others."""
    replicates = values[1:]
    defined = replicates[np.isfinite(replicates)]
    if not defined.size:
        return Estimate(float(values[0]), float("nan"), float("nan"), 1.0)
    low, high = np.quantile(defined, quantiles)
    undefined = 1 - defined.size / replicates.size
    return Estimate(float(values[0]), float(low), float(high), undefined)


class Comparison:
    """Scores of one or two models on the same rows, ready to be resampled.

    `groups` are those in the rows; `drawn`, at most 400, are what the replicates are made of, and
    so what the degrees of freedom of an interval follow from.
    """

    def __init__(
        self, target: np.ndarray, values: np.ndarray | None, settings: EvaluateParams
    ) -> None:
        """Fix targets (rows,), the values that group rows (rows,) or None, and the draws."""
        self._target = target
        numbers, self.groups = _numbered(values, len(target))
        self._group, self.drawn = _together(numbers, self.groups, settings.seed)
        self._tails = tails(settings.confidence, self.drawn)
        self._weights = draws(self.drawn, settings.replicates, settings.seed)

    def estimates(
        self, metric: Metric, candidate: np.ndarray, champion: np.ndarray | None
    ) -> dict[str, Estimate]:
        """Return estimates of the candidate and, given its scores, of champion and difference."""
        found = {"candidate": self._replicate(metric, candidate)}
        if champion is not None:
            found["champion"] = self._replicate(metric, champion)
            found["difference"] = found["candidate"] - found["champion"]
        return {name: estimate(values, self._tails) for name, values in found.items()}

    def constant(self, metric: Metric) -> float | None:
        """Return a metric of the constant score that does best; None where that says nothing."""
        if metric.constant is None:
            return None
        score = np.full(len(self._target), metric.constant(self._target))
        value = float(self._replicate(metric, score)[0])
        return value if np.isfinite(value) else None

    def _replicate(self, metric: Metric, score: np.ndarray) -> np.ndarray:
        weights = np.vstack([np.ones(self.drawn), self._weights])
        # Sorting would give a score that is no number some place in the ranking.
        if not np.isfinite(score).all():
            return np.full(len(weights), np.nan)
        return metric.prepare(self._target, score, self._group, self.drawn)(weights)
