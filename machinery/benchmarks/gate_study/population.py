"""A population of groups with a known truth, of which months are drawn and judged.

Groups are drawn with replacement, so what a metric is over all of the population's groups is
exactly what samples of it estimate; that value is the truth.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

from mlops.config.params import EvaluateParams, GateParams
from mlops.gate.champion import against_champion
from mlops.rules import NOT_WORSE, Verdict, worst
from mlops.statistics.bootstrap import Estimate, draws, estimate, tails
from mlops.statistics.metrics import Metric

# A trial repeats thousands of times; the gate's own number would change no figure here.
SETTINGS = EvaluateParams(replicates=1000)


@dataclass(frozen=True)
class Trial:
    """One drawn month: the gate's interval, and that of plain quantiles of the same replicates."""

    kept: Estimate
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
            kept=estimate(values, tails(SETTINGS.confidence, size)),
            plain=estimate(values, (outside, 1 - outside)),
        )

    def verdicts(self, margin: float, size: int, trials: int, seed: int) -> Counter[Verdict]:
        """Return how often the gate gives each verdict on months drawn from here."""
        random = np.random.default_rng(seed)
        found = (self.trial(size, random).kept for _ in range(trials))
        return Counter(verdict({self.metric: one}, {self.metric.name: margin}) for one in found)

    def coverage(self, size: int, trials: int, seed: int) -> dict[str, float]:
        """Return the share of intervals that hold the truth, as kept and by plain quantiles."""
        random = np.random.default_rng(seed)
        found = [self.trial(size, random) for _ in range(trials)]
        return {
            "kept": np.mean([_holds(trial.kept, self.truth) for trial in found]),
            "plain": np.mean([_holds(trial.plain, self.truth) for trial in found]),
        }

    def _difference(self, weights: np.ndarray) -> np.ndarray:
        candidate, champion = (values(weights) for values in self._both)
        return candidate - champion


def verdict(differences: dict[Metric, Estimate], margins: dict[str, float]) -> Verdict:
    """Return what the gate's own rule M107 says of these differences."""
    measured = {
        metric.name: {
            "title": metric.title,
            "higher_is_better": metric.higher_is_better,
            "difference": {"value": found.value, "low": found.low, "high": found.high},
        }
        for metric, found in differences.items()
    }
    champion = {"release_id": "the champion", "error": None}
    evaluation = {"champion": champion, "metrics": measured}
    findings = against_champion(evaluation, GateParams(margins=margins))
    return worst(finding for finding in findings if finding.rule == NOT_WORSE.id)


def loss(metric: Metric, difference: float) -> float:
    """Return by how much a difference is worse."""
    return -difference if metric.higher_is_better else difference


@cache
def _weights(size: int) -> np.ndarray:
    """One row of ones and the draws: the gate draws with one seed whatever the month."""
    return np.vstack([np.ones(size), draws(size, SETTINGS.replicates, SETTINGS.seed)])


def _holds(found: Estimate, truth: float) -> bool:
    return found.low <= truth <= found.high
