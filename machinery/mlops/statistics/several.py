"""The built-in metrics of models that give a row several numbers.

Scores are (rows, numbers). For classes the targets are positions (rows,) and the scores
probabilities; for quantiles the targets are (rows,); for several outputs (rows, outputs).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mlops.statistics.metrics import TINY, Metric, Weighted, auc, calibration, mean_of, pinball


def of_classes(count: int) -> list[Metric]:
    """Return the metrics of this many classes; scikit-learn's, with equal weight for each class."""

    def majority(target: np.ndarray) -> np.ndarray:
        """Return the certainty that a row has the most frequent class."""
        return (np.arange(count) == np.bincount(target, minlength=count).argmax()).astype(float)

    def shares(target: np.ndarray) -> np.ndarray:
        """Return the share of each class."""
        return np.bincount(target, minlength=count) / len(target)

    return [
        Metric("auc", "mean AUC of the classes", True, _one_against_rest),
        Metric("log_loss", "log loss", False, mean_of(_log_loss), shares, by_row=True),
        Metric("brier", "Brier score", False, mean_of(_brier), shares, by_row=True),
        Metric("accuracy", "accuracy", True, mean_of(hits), majority, by_row=True),
        Metric("f1", "mean F1 of the classes", True, _of_counts(count, _f1), majority),
        Metric("recall", "mean recall of the classes", True, _of_counts(count, _recall), majority),
        Metric("calibration", "calibration error of the likeliest class", False, _top_calibration),
    ]


def hits(target: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return whether the likeliest class of each row is its own (rows,)."""
    return score.argmax(axis=1) == target


def _log_loss(target: np.ndarray, score: np.ndarray) -> np.ndarray:
    own = score[np.arange(len(target)), target]
    return -np.log(np.clip(own, TINY, 1))


def _brier(target: np.ndarray, score: np.ndarray) -> np.ndarray:
    return ((score - np.eye(score.shape[1])[target]) ** 2).sum(axis=1)


def _one_against_rest(target, score, group, groups) -> Weighted:
    """Average the AUC over the classes that a replicate has (Provost and Domingos 2000)."""
    present = np.unique(target)
    areas = [auc((target == one).astype(int), score[:, one], group, groups) for one in present]

    def weighted(weights: np.ndarray) -> np.ndarray:
        """Return the mean over the classes, NaN where a replicate drew one class only."""
        values = np.array([area(weights) for area in areas])
        defined = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            return np.where(defined, values, 0).sum(axis=0) / defined.sum(axis=0)

    return weighted


def _of_counts(count: int, finish: Callable[..., np.ndarray]):
    """Return the preparation of a mean over the classes of a function of counts."""

    def prepare(target, score, group, groups) -> Weighted:
        """Count hits, predicted and actual rows of each class, by group."""
        likeliest = score.argmax(axis=1)
        right = likeliest == target
        hit, predicted, actual = (
            np.bincount(group[rows] * count + of[rows], minlength=groups * count)
            .reshape(groups, count)
            .astype(float)
            for rows, of in ((right, target), (slice(None), likeliest), (slice(None), target))
        )
        present = actual.sum(axis=0) > 0
        return lambda weights: finish(weights @ hit, weights @ predicted, weights @ actual)[
            :, present
        ].mean(axis=1)

    return prepare


def _f1(hit: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return 2 * hit / np.maximum(predicted + actual, 1)


def _recall(hit: np.ndarray, _: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return hit / np.maximum(actual, 1)


def _top_calibration(target, score, group, groups) -> Weighted:
    """The error of Guo et al. 2017: the largest probability against the share of hits."""
    return calibration(hits(target, score).astype(float), score.max(axis=1), group, groups)


def of_outputs(single: Sequence[Metric]) -> list[Metric]:
    """Return each metric of one number as its mean over the outputs."""
    return [_averaged(metric) for metric in single]


def _averaged(metric: Metric) -> Metric:
    def prepare(target, score, group, groups) -> Weighted:
        """Prepare every output by itself."""
        parts = [
            metric.prepare(target[:, one], score[:, one], group, groups)
            for one in range(score.shape[1])
        ]
        return lambda weights: np.mean([part(weights) for part in parts], axis=0)

    def constant(target: np.ndarray) -> np.ndarray:
        """Return the best constant of every output."""
        return np.array([metric.constant(outcomes) for outcomes in target.T])

    return replace(
        metric,
        title=f"{metric.title}, mean of the outputs",
        prepare=prepare,
        constant=metric.constant and constant,
        single=metric,
    )


def of_quantiles(quantiles: Sequence[float], single: dict[str, Metric]) -> list[Metric]:
    """Return the metrics of quantiles; those of one number judge the one nearest the median."""
    levels = np.array(quantiles)
    middle = int(np.abs(levels - 0.5).argmin())

    def mean_pinball(target: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Return the mean quantile loss of each row."""
        short = target[:, None] - score
        return np.maximum(levels * short, (levels - 1) * short).mean(axis=1)

    def all_quantiles(target: np.ndarray) -> np.ndarray:
        """Return the targets' own quantiles."""
        return np.quantile(target.astype(float), levels)

    def at(position: int, metric: Metric, name: str) -> Metric:
        """Return the metric of one of the quantiles."""
        return replace(
            metric,
            name=name,
            prepare=lambda target, score, *grouped: metric.prepare(
                target, score[:, position], *grouped
            ),
            constant=metric.constant
            and (lambda target: np.full(len(levels), metric.constant(target))),
        )

    metrics = [
        Metric(
            "pinball",
            "pinball loss, mean of the quantiles",
            False,
            mean_of(mean_pinball),
            all_quantiles,
        ),
        Metric("coverage", "coverage error of the quantiles", False, _coverage(levels)),
        Metric("crossing", "share of rows with crossing quantiles", False, mean_of(_crosses)),
        Metric("width", "mean distance of the outermost quantiles", False, mean_of(_width)),
        *(at(middle, single[name], name) for name in ("mae", "rmse", "r2")),
    ]
    for position, level in enumerate(quantiles):
        percent = round(100 * level)
        metrics.append(at(position, pinball(level), f"pinball_{percent}"))
    return metrics


def below(target: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return whether each target is at or below each quantile (rows, quantiles)."""
    return target[:, None] <= score


def _coverage(levels: np.ndarray):
    def prepare(target, score, group, groups) -> Weighted:
        """Add up the targets at or below each quantile, by group."""
        under = below(target, score).astype(float)
        sums = np.stack([np.bincount(group, column, groups) for column in under.T], axis=1)
        rows = np.bincount(group, minlength=groups).astype(float)
        return lambda weights: np.abs((weights @ sums) / (weights @ rows)[:, None] - levels).mean(
            axis=1
        )

    return prepare


def _crosses(_: np.ndarray, score: np.ndarray) -> np.ndarray:
    return (np.diff(score, axis=1) < 0).any(axis=1)


def _width(_: np.ndarray, score: np.ndarray) -> np.ndarray:
    return score[:, -1] - score[:, 0]
