"""Rules about the candidate's own metrics."""

import math
from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, interval, number, titled
from mlops.gate.unknown_metrics import CONSTANT_KEY, unknown_metrics
from mlops.rules import Finding, Rule

FINITE = Rule("M102", "Every metric is a finite number.")
BOUND = Rule("M103", "Each metric stays within its absolute bound.", waivable=True)
CONSTANT = Rule("M104", "The candidate beats the best constant prediction.", waivable=True)
ENOUGH = Rule("M105", "There are enough independent groups of rows for a judgement.", waivable=True)
CALIBRATED = Rule(
    "M113",
    "Scores are calibrated: mean score and mean outcome agree, by tenths of the score.",
    waivable=True,
)


def finite(metrics: dict[str, Measured]) -> Iterator[Finding]:
    """Check that every metric and its interval are finite numbers."""
    if not metrics:
        yield FINITE.finding("metrics", False, "model/evaluate.py: METRICS names no metric.")
    for name, measured in metrics.items():
        candidate = measured["candidate"]
        numbers = [candidate[key] for key in ("value", "low", "high")]
        good = all(one is not None and math.isfinite(one) for one in numbers)
        message = interval(candidate)
        if not good:
            message = (
                f"{titled(measured)} is not a finite number: the scores hold NaN, the held-out "
                "rows one class only, or the loss of a row is infinite."
            )
        yield FINITE.finding(name, good, message)


def bounds(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    """Check that each metric in gate.bounds stays within its bound."""
    yield from unknown_metrics(BOUND, "bounds", metrics, gate)
    if not gate.bounds and not gate.beat_constant:
        message = (
            "params.yaml: gate.bounds and gate.beat_constant name no metric, so without a champion "
            "any model would pass. Name at least one."
        )
        yield BOUND.inconclusive("metrics", message)
    for name, bound in gate.bounds.items():
        if name not in metrics:
            continue
        value = metrics[name]["candidate"]["value"]
        higher = metrics[name]["higher_is_better"]
        good = value is not None and (value >= bound if higher else value <= bound)
        limit = f"{'at least' if higher else 'at most'} {number(bound)}"
        message = f"{titled(metrics[name])} is {number(value)}, {limit} is required (gate.bounds)."
        yield BOUND.finding(name, good, message)


def constant(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    """Check that each metric in gate.beat_constant is better than a constant prediction's."""
    yield from unknown_metrics(CONSTANT, CONSTANT_KEY, metrics, gate)
    for name in gate.beat_constant:
        if metrics.get(name, {}).get("constant") is None:
            continue
        value, baseline = metrics[name]["candidate"]["value"], metrics[name]["constant"]
        higher = metrics[name]["higher_is_better"]
        good = value is not None and (value > baseline if higher else value < baseline)
        message = (
            f"{titled(metrics[name])} is {number(value)}; the best constant prediction scores "
            f"{number(baseline)}."
        )
        yield CONSTANT.finding(name, good, message)


def enough(evaluation: Measured, gate: GateParams) -> Finding:
    """Check that there are enough groups for the intervals to be meaningful."""
    groups, cluster = evaluation["groups"], evaluation["cluster"]
    if cluster is None:
        message = "No gate.cluster is set: every row counts as independent of the others."
        return ENOUGH.finding("rows", True, message)
    if groups >= gate.min_clusters:
        return ENOUGH.finding(cluster, True, f"{groups:,} groups of rows.")
    message = (
        f"{groups:,} groups of rows, at least {gate.min_clusters} are needed (gate.min_clusters). "
        "Hold out more partitions (data.holdout)."
    )
    return ENOUGH.inconclusive(cluster, message)


def calibrated(evaluation: Measured, gate: GateParams) -> Finding:
    """Check that mean score and mean outcome agree over tenths of the rows, by score."""
    most, tenths = gate.max_miscalibration, evaluation["curves"]["candidate"]["calibration"]
    if _are_labels(evaluation, tenths):
        message = (
            "Every score is 0 or 1, so they are labels, which nothing but accuracy can judge. Let "
            "model.predict return probabilities: `predict_proba(...)[:, 1]`."
        )
        return CALIBRATED.inconclusive("scores", message)
    if most is None:
        return CALIBRATED.finding("scores", True, "No bound is set (gate.max_miscalibration).")
    rows = sum(tenth["rows"] for tenth in tenths)
    errors = [(abs(tenth["score"] - tenth["target"]), tenth) for tenth in tenths]
    mean = sum(error * tenth["rows"] for error, tenth in errors) / rows if rows else math.inf
    message = (
        f"Mean error {number(mean)}, at most {number(most)} is allowed (gate.max_miscalibration)"
    )
    if errors:
        error, tenth = max(errors, key=lambda pair: pair[0])
        message += f"; largest where scores are about {number(tenth['score'])}: {number(error)}"
    good = mean <= most
    advice = "" if good else " Train on newer partitions, or calibrate the scores in model/."
    return CALIBRATED.finding("scores", good, f"{message}.{advice}")


def _are_labels(evaluation: Measured, tenths: list[Measured]) -> bool:
    """Return whether the scores of labels 0 and 1 are themselves only 0 and 1."""
    of_labels = evaluation["features"]["measure"] == "auc" and "parts" not in evaluation
    return of_labels and {tenth["score"] for tenth in tenths} == {0.0, 1.0}
