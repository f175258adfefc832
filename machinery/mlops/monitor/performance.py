"""The metrics of labelled rows, compared with those that the gate measured; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

from mlops.config.params import EvaluateParams

if TYPE_CHECKING:
    import numpy as np

    from mlops.statistics.bootstrap import Comparison, Estimate
    from mlops.statistics.metrics import Metric


@dataclass(frozen=True)
class LiveMetric:
    """One metric of the served rows, and its losses with intervals, positive where it is worse.

    `loss_to_constant` is the loss against the best constant prediction, `loss_to_gate` the loss
    against the gate's measurement; None where there is nothing to compare with.
    """

    name: str
    value: "Estimate"
    constant: float | None
    at_gate: float | None
    loss_to_constant: "Estimate | None"
    loss_to_gate: "Estimate | None"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "value": self.value.value,
            "low": self.value.low,
            "high": self.value.high,
            "constant": self.constant,
            "promised": self.at_gate,
        }


@dataclass(frozen=True)
class Labelled:
    """Rows with a known outcome: targets and scores (rows, ...), and days (rows,)."""

    target: "np.ndarray"
    score: "np.ndarray"
    days: "np.ndarray"


def measure(
    rows: Labelled,
    metrics: "Sequence[Metric]",
    gate_metrics: Mapping[str, Any],
    settings: EvaluateParams,
) -> list[LiveMetric]:
    """Measure metrics on labelled rows, intervals by a bootstrap over days.

    `gate_metrics` holds the gate's evidence for each metric. An undefined metric, such as an AUC
    where all outcomes are equal, is left out.
    """
    from mlops.statistics.bootstrap import Comparison

    comparison = Comparison(rows.target, rows.days, settings)
    results = (
        _measure(comparison, rows, metric, gate_metrics.get(metric.name)) for metric in metrics
    )
    return [one for one in results if one is not None]


def _measure(
    comparison: "Comparison", rows: Labelled, metric: "Metric", at_gate: Mapping[str, Any] | None
) -> LiveMetric | None:
    import numpy as np

    constant, sign = comparison.constant(metric), -1 if metric.higher_is_better else 1
    best = None if constant is None else comparison.constant_scores(metric)
    estimates = comparison.estimates(metric, rows.score, best)
    value = estimates["candidate"]
    if not all(map(np.isfinite, (value.value, value.low, value.high))):
        return None
    return LiveMetric(
        metric.name,
        value,
        constant,
        at_gate and at_gate["value"],
        None if best is None else _as_loss(estimates["difference"], sign),
        at_gate and _loss_to_gate(value, constant, at_gate, sign),
    )


def _as_loss(estimate: "Estimate", sign: int) -> "Estimate":
    """Return an estimate with its sign set so that larger is worse."""
    from mlops.statistics.bootstrap import Estimate

    low, high = sorted((sign * estimate.low, sign * estimate.high))
    return Estimate(sign * estimate.value, low, high, estimate.undefined)


def _loss_to_gate(
    value: "Estimate", constant: float | None, at_gate: Mapping[str, Any], sign: int
) -> "Estimate":
    """Return how much worse a metric is than at the gate.

    The interval is that of a difference of independent estimates (Zou and Donner 2008). Where the
    best constant prediction has a value, both metrics are measured from it: in a month with more
    late flights the log loss of any model is larger.
    """
    from mlops.statistics.bootstrap import Estimate

    now = _as_loss(value, sign)
    then = _as_loss(Estimate(at_gate["value"], at_gate["low"], at_gate["high"]), sign)
    loss = now.value - then.value
    low = loss - hypot(now.value - now.low, then.high - then.value)
    high = loss + hypot(now.high - now.value, then.value - then.low)
    if constant is not None and at_gate.get("constant") is not None:
        harder = sign * (constant - at_gate["constant"])
        loss, low, high = loss - harder, low - harder, high - harder
    return Estimate(loss, low, high)
