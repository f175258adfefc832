"""The built-in metrics, each reduced once per model to sums over groups of rows.

A bootstrap then needs no rows: a replicate is a weight for each group, and every metric is a small
function of weighted sums. Scores are (n,), targets (n,), groups (n,)
integers from 0 to the number of groups - 1, weights (replicates, groups). Models that give a row
several numbers have metrics of their own (`several`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlops.errors import UserError
from mlops.statistics.pairs import wins

Weighted = Callable[[np.ndarray], np.ndarray]
Loss = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Row losses of a probability stay finite, as scikit-learn's do.
TINY = 1e-15
# A probability of at least this predicts a 1, unless the team sets THRESHOLD.
THRESHOLD = 0.5
TENTHS = 10


@dataclass(frozen=True)
class Metric:  # pylint: disable=too-many-instance-attributes # most have a default
    """A metric of a model and its direction."""

    name: str
    title: str
    higher_is_better: bool
    # (target, score, group, groups) -> (weights -> one value a replicate)
    prepare: Callable[[np.ndarray, np.ndarray, np.ndarray, int], Weighted]
    # the best constant score for these targets; None where a constant is meaningless
    constant: Callable[[np.ndarray], float | np.ndarray] | None = None
    # it is valid for labels 0 and 1 only
    labels: bool = False
    # it is a mean over the rows, so it is defined for the rows of one class
    by_row: bool = False
    # the metric of one output, whose mean over the outputs this is
    single: "Metric | None" = None


def sums_of(terms: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]], finish: Callable):
    """Return the preparation of a metric that is a function of the sums of terms over rows."""

    def prepare(target, score, group, groups):
        """Add up each term by group."""
        sums = np.stack([np.bincount(group, term, groups) for term in terms(target, score)])
        return lambda weights: finish(*sums @ weights.T)

    return prepare


def mean_of(row_loss: Loss, finish=lambda mean: mean):
    """Return the preparation of a metric that is (a function of) the mean loss of a row."""

    def prepare(target, score, group, groups):
        """Add up losses and rows by group; raises UserError for a loss that is not one a row."""
        loss = np.asarray(row_loss(target, score), dtype=float)
        if loss.shape != (len(target),):
            raise UserError(
                f"the metric {row_loss.__name__} returned shape {loss.shape} for {len(target)} "
                "rows; a metric function in model/evaluate.py returns one loss a row."
            )
        sums = np.bincount(group, loss, groups)
        counts = np.bincount(group, minlength=groups).astype(float)
        return lambda weights: finish((weights @ sums) / (weights @ counts))

    return prepare


def auc(target: np.ndarray, score: np.ndarray, group: np.ndarray, groups: int) -> Weighted:
    """Exact area under the ROC curve, ties counted half, from pairs of groups.

    won[i, j] counts the correctly ordered pairs (positive of group i, negative of group j), so the
    AUC of a replicate with weights w is w' won w / (w'P w'N).
    """
    positive = target == 1
    positives, negatives = (
        np.bincount(group[chosen], minlength=groups).astype(float)
        for chosen in (positive, ~positive)
    )
    won = wins(positive, score, group, groups)

    def weighted(weights: np.ndarray) -> np.ndarray:
        """Return the AUC of each replicate, NaN where it drew one class only."""
        with np.errstate(divide="ignore", invalid="ignore"):
            pairs = (weights @ positives) * (weights @ negatives)
            return np.einsum("ij,ij->i", weights @ won, weights) / pairs

    return weighted


def tenths(score: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the bin of each row (rows,), by tenths of the score, and the number of bins.

    The metric, the rule and the report's plot share these bins. Equal scores share a bin, so that
    the order of the rows has no effect.
    """
    edges = np.unique(np.quantile(score, np.arange(1, TENTHS) / TENTHS))
    return np.searchsorted(edges, score, side="left"), len(edges) + 1


def calibration(target: np.ndarray, score: np.ndarray, group: np.ndarray, groups: int) -> Weighted:
    """Expected calibration error: mean distance of score and target by tenths of the score.

    The error of Guo et al. 2017 (On Calibration of Modern Neural Networks) over bins of equal size
    (Nixon et al. 2019, Measuring Calibration in Deep Learning), so that none is empty. The bins
    are those of all rows.
    """
    number, bins = tenths(score)
    cell = group * bins + number
    gaps = np.bincount(cell, score - target, groups * bins).reshape(groups, bins)
    counts = np.bincount(group, minlength=groups).astype(float)
    return lambda weights: np.abs(weights @ gaps).sum(axis=1) / (weights @ counts)


def _log_loss(target, score):
    score = np.clip(score.astype(float), TINY, 1 - TINY)
    return -np.where(target == 1, np.log(score), np.log1p(-score))


def _squared(target, score):
    return (score - target) ** 2.0


def _absolute(target, score):
    return np.abs(score - target)


def _accuracy(threshold: float):
    return mean_of(lambda target, score: (score >= threshold) == (target == 1))


def _f1(threshold: float):
    """F1; 0 without predicted and actual positives, as in scikit-learn."""

    def terms(target, score):
        """Return true positives, predicted positives and actual positives."""
        predicted, actual = score >= threshold, target == 1
        return predicted & actual, predicted, actual

    def finish(both, predicted, actual):
        """Return twice the true positives divided by predicted plus actual positives."""
        return 2 * both / np.maximum(predicted + actual, 1)

    return sums_of(terms, finish)


def _r2_terms(target, score):
    # Squares of targets far from 0 would lose digits when subtracted.
    centred = target - target.mean()
    return (score - target) ** 2.0, centred, centred**2, np.ones(len(target))


def _r2(left, total, squares, rows):
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - left / (squares - total**2 / rows)


def _majority(target: np.ndarray) -> float:
    return float(target.mean() >= 0.5)


def pinball(quantile: float, name: str = "pinball") -> Metric:
    """Return the quantile loss (Koenker and Bassett 1978): q a unit too low, 1 - q too high."""

    def loss(target, score):
        """Return the weighted distance of a score below or above its target."""
        short = target - score
        return np.maximum(quantile * short, (quantile - 1) * short)

    def constant(target):
        """Return the quantile of the targets, which may be booleans."""
        return np.quantile(target.astype(float), quantile)

    return Metric(name, f"pinball loss at {100 * quantile:g} %", False, mean_of(loss), constant)


def built_in(threshold: float = THRESHOLD) -> dict[str, Metric]:
    """Return the built-in metrics by name; a score of at least the threshold predicts a 1."""
    metrics = (
        Metric("auc", "AUC", True, auc, labels=True),
        Metric("log_loss", "log loss", False, mean_of(_log_loss), np.mean, labels=True),
        Metric("brier", "Brier score", False, mean_of(_squared), np.mean, labels=True),
        Metric("calibration", "calibration error", False, calibration),
        Metric("accuracy", "accuracy", True, _accuracy(threshold), _majority, labels=True),
        Metric("f1", "F1", True, _f1(threshold), labels=True),
        Metric("mae", "mean absolute error", False, mean_of(_absolute), np.median),
        Metric("rmse", "root mean squared error", False, mean_of(_squared, np.sqrt), np.mean),
        Metric("r2", "R2", True, sums_of(_r2_terms, _r2), np.mean),
        pinball(0.5),
    )
    return {metric.name: metric for metric in metrics}


BUILT_IN = built_in()
