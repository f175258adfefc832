"""What the three worlds served, measured on the same rows with the same draws of days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlops.config.params import EvaluateParams
from mlops.statistics import bootstrap
from mlops.statistics.metrics import Metric

WORLDS = ("never retrained", "always retrained", "gated")


@dataclass
class Year:
    """For each metric, month and world: the value, then one value a replicate."""

    metrics: Sequence[Metric]
    settings: EvaluateParams
    months: list[str] = field(default_factory=list)
    values: dict[tuple[str, str, str], np.ndarray] = field(default_factory=dict)
    # The fewest days of a month: the one whose interval is the least certain speaks for all.
    groups: int = bootstrap.MOST_GROUPS

    def add(
        self, month: str, target: np.ndarray, days: np.ndarray, scores: Mapping[str, np.ndarray]
    ) -> None:
        """Measure every world's scores (rows,) on the rows of a month; days (rows,) group them."""
        group, groups = bootstrap.groups_of(days, len(target), self.settings.seed)
        # Months are independent of each other, so each has draws of its own; worlds share them.
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
        """Return value, low and high of a mean over months, or of its difference to a world's."""
        mean = self._mean(name, months, world)
        if against:
            mean = mean - self._mean(name, months, against)
        found = bootstrap.estimate(mean, bootstrap.tails(self.settings.confidence, self.groups))
        return found.value, found.low, found.high

    def _mean(self, name: str, months: Iterable[str], world: str) -> np.ndarray:
        return np.mean([self.values[name, month, world] for month in months], axis=0)
