"""The drift of served rows from training rows, by day; computes and reads nothing.

The unit is the day, not the row: rows of one day share weather and congestion, so two halves of
one month differ in every test by row. Therefore a column's drift is compared with its change
between stretches of training days, and a classifier is tested on days it was not trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlops.statistics.drift import LEAST, drift_by_day
from mlops.statistics.histograms import as_number
from mlops.statistics.separability import separability

if TYPE_CHECKING:
    from pandas import DataFrame

# Rows of each kind that the classifier is trained and tested on.
SAMPLE = 20_000
# With fewer days of either kind, half of them are too few for the classifier.
LEAST_DAYS = 4


@dataclass(frozen=True)
class Shift:
    """A column's population stability index, and the largest between stretches of training."""

    column: str
    psi: float
    usual: float

    @property
    def times(self) -> float:
        """The index as a multiple of the usual one."""
        return self.psi / max(self.usual, LEAST)

    def as_dict(self) -> dict[str, str | float]:
        """Return it as plain values for JSON."""
        return {"column": self.column, "psi": self.psi, "usual": self.usual, "times": self.times}


@dataclass(frozen=True)
class DatedRows:
    """Rows with their features, and the day of each as text that sorts."""

    frame: "DataFrame"
    days: np.ndarray

    def as_numbers(self, text: Sequence[str]) -> "DatedRows":
        """Return the rows with days and free texts as numbers, which a classifier takes."""
        numbers = {name: as_number(self.frame[name], name in text) for name in self.frame}
        return DatedRows(self.frame.assign(**numbers), self.days)

    def sample(self, most: int, random: np.random.Generator) -> "DatedRows":
        """Return at most so many of the rows, in their order."""
        if len(self.days) <= most:
            return self
        chosen = np.sort(random.choice(len(self.days), most, replace=False))
        return DatedRows(self.frame.iloc[chosen], self.days[chosen])


def shift(column: str, trained: DatedRows, served: DatedRows, text: bool = False) -> Shift:
    """Return the shift of one column, perhaps a free text, between training and served rows."""
    index, usual = drift_by_day(
        trained.frame[column], trained.days, served.frame[column], served.days, text=text
    )
    return Shift(column, index, usual)


def classifier_aucs(trained: DatedRows, served: DatedRows, columns: Sequence[str]) -> list[float]:
    """Return how well a classifier separates served from training rows (AUCs).

    Empty if either has too few days.
    """
    if min(len(np.unique(rows.days)) for rows in (trained, served)) < LEAST_DAYS:
        return []
    random = np.random.default_rng(0)
    parts = [rows.sample(SAMPLE, random) for rows in (trained, served)]
    frames = [rows.frame[list(columns)] for rows in parts]
    return separability(frames, [rows.days for rows in parts], random)
