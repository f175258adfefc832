"""How well the model did where labels came, against what the gate measured; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

from mlops.config.params import EvaluateParams
from mlops.statistics.metrics import THRESHOLD

if TYPE_CHECKING:
    import numpy as np

    from mlops.statistics.bootstrap import Comparison, Estimate
    from mlops.statistics.metrics import Metric


@dataclass(frozen=True)
class Measured:
    """One metric of what was served; a loss is positive where the model is worse, with interval.

    `beyond_constant` is the loss against the best constant answer, `beyond_promise` the one
    against the gate's measurement; None where there is nothing to compare with.
    """

    name: str
    value: "Estimate"
    constant: float | None
    promised: float | None
    beyond_constant: "Estimate | None"
    beyond_promise: "Estimate | None"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "value": self.value.value,
            "low": self.value.low,
            "high": self.value.high,
            "constant": self.constant,
            "promised": self.promised,
        }


@dataclass(frozen=True)
class Labelled:
    """Rows whose outcome is known: targets, scores and days (rows,)."""

    target: "np.ndarray"
    score: "np.ndarray"
    days: "np.ndarray"


def measure(
    rows: Labelled,
    names: Mapping[str, Any],
    promise: Mapping[str, Any],
    settings: EvaluateParams,
    threshold: float = THRESHOLD,
) -> list[Measured]:
    """Measure the team's metrics (`names`) on labelled rows, intervals by a bootstrap over days.

    `promise` is what the gate's evidence says of each metric. A metric that is no number here,
    such as an AUC where all outcomes are alike, is left out.
    """
    from mlops.statistics import metrics
    from mlops.statistics.bootstrap import Comparison

    comparison = Comparison(rows.target, rows.days, settings)
    chosen = metrics.chosen(dict(names), threshold)
    found = (_measure(comparison, rows, metric, promise.get(metric.name)) for metric in chosen)
    return [one for one in found if one is not None]


def _measure(
    comparison: "Comparison", rows: Labelled, metric: "Metric", promised: Mapping[str, Any] | None
) -> Measured | None:
    import numpy as np

    constant, sign = comparison.constant(metric), -1 if metric.higher_is_better else 1
    best = None if constant is None else np.full(len(rows.target), metric.constant(rows.target))
    estimates = comparison.estimates(metric, rows.score, best)
    value = estimates["candidate"]
    if not all(map(np.isfinite, (value.value, value.low, value.high))):
        return None
    return Measured(
        metric.name,
        value,
        constant,
        promised and promised["value"],
        None if best is None else _turned(estimates["difference"], sign),
        promised and _loss(value, constant, promised, sign),
    )


def _turned(estimate: "Estimate", sign: int) -> "Estimate":
    """Return an estimate whose larger values are worse."""
    from mlops.statistics.bootstrap import Estimate

    low, high = sorted((sign * estimate.low, sign * estimate.high))
    return Estimate(sign * estimate.value, low, high, estimate.undefined)


def _loss(
    value: "Estimate", constant: float | None, promised: Mapping[str, Any], sign: int
) -> "Estimate":
    """Return how much worse a metric is than promised.

    The interval is that of a difference of independent estimates (Zou and Donner 2008). Where a
    constant answer has a value, both count from it: in a month with more late flights the log
    loss is larger whatever the model.
    """
    from mlops.statistics.bootstrap import Estimate

    now = _turned(value, sign)
    then = _turned(Estimate(promised["value"], promised["low"], promised["high"]), sign)
    loss = now.value - then.value
    low = loss - hypot(now.value - now.low, then.high - then.value)
    high = loss + hypot(now.high - now.value, then.value - then.low)
    if constant is not None and promised.get("constant") is not None:
        harder = sign * (constant - promised["constant"])
        loss, low, high = loss - harder, low - harder, high - harder
    return Estimate(loss, low, high)
