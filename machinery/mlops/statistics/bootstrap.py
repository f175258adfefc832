"""Intervals by a paired bootstrap over groups of dependent rows.

Rows of one day share weather and congestion, so whole groups are drawn with replacement (Davison
and Hinkley 1997, section 3.8). Candidate and champion get the same draws, so that the variation
they share cancels in the difference.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mlops.config.params import EvaluateParams
from mlops.statistics.metrics import Metric

# The AUC needs a matrix of groups x groups, so more groups than this are merged at random. This
# many estimate a standard error to within 4 %.
MOST_GROUPS = 400


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `undefined` is the share of replicates that had no value."""

    value: float
    low: float
    high: float
    undefined: float = 0.0


def groups_of(values: np.ndarray | None, rows: int, seed: int) -> tuple[np.ndarray, int]:
    """Return the group that is drawn with each row (rows,) and the number of groups."""
    return _merged(*_numbered(values, rows), seed)


def _numbered(values: np.ndarray | None, rows: int) -> tuple[np.ndarray, int]:
    """Return the group number of each row (rows,) and the number of groups.

    Without group values each row is a group, as rows then count as independent.
    """
    if values is None:
        return np.arange(rows), rows
    _, numbers = np.unique(values, return_inverse=True)
    return numbers, int(numbers.max()) + 1


def _merged(numbers: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, int]:
    """Return groups merged at random until there are at most 400.

    Merging independent groups at random keeps them independent and leaves the variance unchanged.
    """
    if count <= MOST_GROUPS:
        return numbers, count
    return (np.random.default_rng(seed).permutation(count) % MOST_GROUPS)[numbers], MOST_GROUPS


def draws(groups: int, replicates: int, seed: int) -> np.ndarray:
    """Return how often each replicate drew each group: float (replicates, groups)."""
    shares = np.full(groups, 1 / groups)
    return np.random.default_rng(seed).multinomial(groups, shares, replicates).astype(float)


def tails(confidence: float, groups: int) -> tuple[float, float]:
    """Return the quantiles of the replicates that are the ends of an interval.

    With few groups plain quantiles are too narrow: the variance of replicates is divided by groups
    instead of groups - 1, and they are normal instead of Student's t. The quantiles are moved
    outwards to correct both (Hesterberg 2015, What Teachers Should Know About the Bootstrap,
    section 5.3).
    """
    from scipy.special import stdtrit  # pylint: disable=no-name-in-module  # it is compiled

    freedom = max(groups - 1, 1)
    ends = stdtrit(freedom, 0.5 + confidence / 2) * (groups / freedom) ** 0.5
    outside = NormalDist().cdf(-float(ends))
    return outside, 1 - outside


def estimate(values: np.ndarray, quantiles: tuple[float, float]) -> Estimate:
    """Return the first of the values (1 + replicates,) with the interval from the others."""
    replicates = values[1:]
    defined = replicates[np.isfinite(replicates)]
    if not defined.size:
        return Estimate(float(values[0]), float("nan"), float("nan"), 1.0)
    low, high = np.quantile(defined, quantiles)
    undefined = 1 - defined.size / replicates.size
    return Estimate(float(values[0]), float(low), float(high), undefined)


class Comparison:
    """Scores of one or two models on the same rows, ready to be resampled.

    `groups` counts the groups in the rows; `drawn`, at most 400, counts the merged groups that the
    replicates draw, which determine the degrees of freedom of an interval.
    """

    def __init__(
        self, target: np.ndarray, values: np.ndarray | None, settings: EvaluateParams
    ) -> None:
        """Fix targets (rows, ...), the values that group rows (rows,) or None, and the draws."""
        self._target = target
        numbers, self.groups = _numbered(values, len(target))
        self._group, self.drawn = _merged(numbers, self.groups, settings.seed)
        self._tails = tails(settings.confidence, self.drawn)
        self._weights = draws(self.drawn, settings.replicates, settings.seed)

    def estimates(
        self, metric: Metric, candidate: np.ndarray, champion: np.ndarray | None
    ) -> dict[str, Estimate]:
        """Return estimates of the candidate and, given its scores, of champion and difference."""
        values = {"candidate": self._replicate(metric, candidate)}
        if champion is not None:
            values["champion"] = self._replicate(metric, champion)
            values["difference"] = values["candidate"] - values["champion"]
        return {name: estimate(one, self._tails) for name, one in values.items()}

    def constant(self, metric: Metric) -> float | None:
        """Return the metric of the best constant score; None where a constant is meaningless."""
        score = self.constant_scores(metric)
        if score is None:
            return None
        value = float(self._replicate(metric, score)[0])
        return value if np.isfinite(value) else None

    def constant_scores(self, metric: Metric) -> np.ndarray | None:
        """Return the best constant score for every row (rows, ...); None as for `constant`."""
        if metric.constant is None:
            return None
        best = np.asarray(metric.constant(self._target), dtype=float)
        return np.broadcast_to(best, (len(self._target), *best.shape))

    def _replicate(self, metric: Metric, score: np.ndarray) -> np.ndarray:
        weights = np.vstack([np.ones(self.drawn), self._weights])
        # Sorting would give NaN a rank.
        if not np.isfinite(score).all():
            return np.full(len(weights), np.nan)
        return metric.prepare(self._target, score, self._group, self.drawn)(weights)
