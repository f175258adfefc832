"""The metrics of the three worlds, on the same rows with the same draws of days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlops.config.params import EvaluateParams
from mlops.statistics import bootstrap
from mlops.statistics.metrics import Metric

WORLDS = ("never retrained", "always retrained", "gated")


@dataclass
class Year:
    """For each metric, month and world: the value, then the value of each replicate."""

    metrics: Sequence[Metric]
    settings: EvaluateParams
    months: list[str] = field(default_factory=list)
    values: dict[tuple[str, str, str], np.ndarray] = field(default_factory=dict)
    # The fewest days of a month: they set the degrees of freedom of all intervals.
    groups: int = bootstrap.MOST_GROUPS

    def add(
        self, month: str, target: np.ndarray, days: np.ndarray, scores: Mapping[str, np.ndarray]
    ) -> None:
        """Measure every world's scores (rows,) on the rows of a month; days (rows,) group them."""
        group, groups = bootstrap.groups_of(days, len(target), self.settings.seed)
        # Months are independent, so each has its own draws, which all worlds share.
        seed = self.settings.seed + len(self.months)
        drawn = bootstrap.draws(groups, self.settings.replicates, seed)
        weights = np.vstack([np.ones(groups), drawn])
        self.months.append(month)
        self.groups = min(self.groups, groups)
        for metric in self.metrics:
            for world, score in scores.items():
                measured = metric.prepare(target, score, group, groups)(weights)
                self.values[metric.name, month, world] = measured

    def interval(self, name: str, months: Iterable[str], world: str, against: str | None = None):
        """Return value, low and high of a mean over months, or of its difference between worlds."""
        mean = self._mean(name, months, world)
        if against:
            mean = mean - self._mean(name, months, against)
        tails = bootstrap.tails(self.settings.confidence, self.groups)
        estimate = bootstrap.estimate(mean, tails)
        return estimate.value, estimate.low, estimate.high

    def _mean(self, name: str, months: Iterable[str], world: str) -> np.ndarray:
        return np.mean([self.values[name, month, world] for month in months], axis=0)
