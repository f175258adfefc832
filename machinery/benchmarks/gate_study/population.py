"""A population of groups with a known true difference, from which months are drawn and judged.

Groups are drawn with replacement, so the metric over all groups of the population is exactly what
a sample estimates; that value is the truth.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

from mlops.config.params import EvaluateParams, GateParams
from mlops.gate.champion import NOT_WORSE, against_champion
from mlops.rules import Verdict, worst
from mlops.statistics.bootstrap import Estimate, draws, estimate, tails
from mlops.statistics.metrics import Metric

# Thousands of trials: with the gate's own number of replicates the figures are the same.
SETTINGS = EvaluateParams(replicates=1000)


@dataclass(frozen=True)
class Trial:
    """One drawn month: the gate's interval, and that of plain quantiles of the same replicates."""

    gate: Estimate
    plain: Estimate


class Population:
    """Two models' scores on the rows (rows,) of a population, compared by one metric."""

    def __init__(
        self,
        metric: Metric,
        target: np.ndarray,
        group: np.ndarray,
        candidate: np.ndarray,
        champion: np.ndarray,
    ) -> None:
        """Reduce both models to sums by group; groups (rows,) are numbered from 0."""
        self.metric, self.groups = metric, int(group.max()) + 1
        self._both = [
            metric.prepare(target, score, group, self.groups) for score in (candidate, champion)
        ]
        self.truth = float(self._difference(np.ones((1, self.groups)))[0])

    def trial(self, size: int, random: np.random.Generator) -> Trial:
        """Draw a month of `size` groups and estimate the difference from it alone."""
        drawn = np.eye(self.groups)[random.integers(self.groups, size=size)]
        values = self._difference(_weights(size) @ drawn)
        outside = 0.5 - SETTINGS.confidence / 2
        return Trial(
            gate=estimate(values, tails(SETTINGS.confidence, size)),
            plain=estimate(values, (outside, 1 - outside)),
        )

    def verdicts(self, margin: float, size: int, trials: int, seed: int) -> Counter[Verdict]:
        """Return how often the gate gives each verdict on months drawn from this population."""
        random = np.random.default_rng(seed)
        estimates = (self.trial(size, random).gate for _ in range(trials))
        margins = {self.metric.name: margin}
        return Counter(verdict({self.metric: one}, margins) for one in estimates)

    def coverage(self, size: int, trials: int, seed: int) -> dict[str, float]:
        """Return the share of intervals that contain the truth, the gate's and plain quantiles'."""
        random = np.random.default_rng(seed)
        drawn = [self.trial(size, random) for _ in range(trials)]
        return {
            "gate": np.mean([_contains(trial.gate, self.truth) for trial in drawn]),
            "plain": np.mean([_contains(trial.plain, self.truth) for trial in drawn]),
        }

    def _difference(self, weights: np.ndarray) -> np.ndarray:
        candidate, champion = (values(weights) for values in self._both)
        return candidate - champion


def verdict(differences: dict[Metric, Estimate], margins: dict[str, float]) -> Verdict:
    """Return the verdict of the gate's rule M107 on these differences."""
    measured = {
        metric.name: {
            "title": metric.title,
            "higher_is_better": metric.higher_is_better,
            "difference": {"value": one.value, "low": one.low, "high": one.high},
        }
        for metric, one in differences.items()
    }
    champion = {"release_id": "the champion", "error": None}
    evaluation = {"champion": champion, "metrics": measured}
    findings = against_champion(evaluation, GateParams(margins=margins))
    return worst(finding for finding in findings if finding.rule == NOT_WORSE.id)


def loss(metric: Metric, difference: float) -> float:
    """Return a difference with its sign set so that positive is worse."""
    return -difference if metric.higher_is_better else difference


@cache
def _weights(size: int) -> np.ndarray:
    """One row of ones and the draws: the gate draws with one seed whatever the month."""
    return np.vstack([np.ones(size), draws(size, SETTINGS.replicates, SETTINGS.seed)])


def _contains(interval: Estimate, truth: float) -> bool:
    return interval.low <= truth <= interval.high
