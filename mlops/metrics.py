"""The built-in metrics, each reduced once per model to sums over groups of rows.

A bootstrap over groups then never looks at a row again: a replicate is a weight for each group,
and every metric is a small function of weighted sums. Scores are (n,), targets (n,), groups (n,)
integers from 0 to the number of groups - 1, weights (replicates, groups).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops.errors import UserError

Weighted = Callable[[np.ndarray], np.ndarray]
# Row losses of a probability stay finite, as scikit-learn's do.
TINY = 1e-15


@dataclass(frozen=True)
class Metric:
    """One number about a model, and which way is better."""

    name: str
    title: str
    higher_is_better: bool
    # (target, score, group, groups) -> (weights -> one value a replicate)
    prepare: Callable[[np.ndarray, np.ndarray, np.ndarray, int], Weighted]
    # the constant score that does best on these targets; None where a constant says nothing
    constant: Callable[[np.ndarray], float] | None = None


def mean_of(row_loss: Callable[[np.ndarray, np.ndarray], np.ndarray], finish=lambda mean: mean):
    """Return the preparation of a metric that is (a function of) the mean of a loss per row."""

    def prepare(target, score, group, groups):
        loss = np.asarray(row_loss(target, score), dtype=float)
        if loss.shape != target.shape:
            raise UserError(
                f"the metric {row_loss.__name__} returned shape {loss.shape} for {target.shape} "
                "rows; a metric function in model/evaluate.py returns one loss a row."
            )
        sums = np.bincount(group, loss, groups)
        counts = np.bincount(group, minlength=groups).astype(float)
        return lambda weights: finish((weights @ sums) / (weights @ counts))

    return prepare


def _auc(target: np.ndarray, score: np.ndarray, group: np.ndarray, groups: int) -> Weighted:
    """Exact area under the ROC curve, ties counted half, from pairs of groups.

    wins[i, j] counts the pairs (positive of group i, negative of group j) ordered rightly, so the
    AUC of a replicate with weights w is w' wins w / (w'P w'N).
    """
    positive = target == 1
    positives, negatives = (
        np.bincount(group[chosen], minlength=groups).astype(float)
        for chosen in (positive, ~positive)
    )
    wins = np.empty((groups, groups))
    # Sorted needles are found several times faster.
    order = np.argsort(score[positive])
    high, high_group = score[positive][order], group[positive][order]
    by_group = score[~positive][np.argsort(group[~positive])]
    for other, low in enumerate(np.split(by_group, np.cumsum(negatives)[:-1].astype(int))):
        wins[:, other] = np.bincount(high_group, _beaten(np.sort(low), high), groups)

    def weighted(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            pairs = (weights @ positives) * (weights @ negatives)
            return np.einsum("ij,ij->i", weights @ wins, weights) / pairs

    return weighted


def _beaten(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return how many of the sorted `low` each of `high` exceeds, half for each that it equals."""
    return (np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")) / 2


def _log_loss(target, score):
    score = np.clip(score.astype(float), TINY, 1 - TINY)
    return -np.where(target == 1, np.log(score), np.log1p(-score))


def _squared(target, score):
    return (score - target) ** 2.0


def _absolute(target, score):
    return np.abs(score - target)


_BUILT_IN = (
    Metric("auc", "AUC", True, _auc),
    Metric("log_loss", "log loss", False, mean_of(_log_loss), np.mean),
    Metric("brier", "Brier score", False, mean_of(_squared), np.mean),
    Metric("mae", "mean absolute error", False, mean_of(_absolute), np.median),
    Metric("rmse", "root mean squared error", False, mean_of(_squared, np.sqrt), np.mean),
)
BUILT_IN = {metric.name: metric for metric in _BUILT_IN}


def chosen(wanted: dict[str, Callable | None]) -> list[Metric]:
    """Return the metrics a team asks for: built-ins by name (None), or its own loss a row."""
    unknown = [name for name, own in wanted.items() if own is None and name not in BUILT_IN]
    if unknown:
        raise UserError(
            f"model/evaluate.py: METRICS names {', '.join(unknown)}, which is not built in. "
            f"Built in are {', '.join(BUILT_IN)}; anything else is a function (target, score) -> "
            "one loss a row."
        )
    return [
        BUILT_IN[name] if own is None else Metric(name, name.replace("_", " "), False, mean_of(own))
        for name, own in wanted.items()
    ]
