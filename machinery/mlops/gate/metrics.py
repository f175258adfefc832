"""Rules about the candidate's own metrics."""

import math
from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, interval, number, titled
from mlops.gate.metric_names import misnamed
from mlops.rules import BOUND, CALIBRATED, CONSTANT, ENOUGH, FINITE, Finding, Verdict, find


def finite(metrics: dict[str, Measured]) -> Iterator[Finding]:
    """Find what is no number."""
    if not metrics:
        yield find(
            FINITE, "metrics", False, "No metric was computed; model/evaluate.py names none."
        )
    for name, measured in metrics.items():
        candidate = measured["candidate"]
        numbers = [candidate[key] for key in ("value", "low", "high")]
        good = all(one is not None and math.isfinite(one) for one in numbers)
        message = interval(candidate)
        if not good:
            message = (
                f"{titled(measured)} is no finite number: the scores hold NaN, the held-out rows "
                "one class only, or the loss of a row is infinite."
            )
        yield find(FINITE, name, good, message)


def bounds(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    """Find what is beyond gate.bounds."""
    yield from misnamed(BOUND, metrics, gate)
    for name, bound in gate.bounds.items():
        if name not in metrics:
            continue
        value = metrics[name]["candidate"]["value"]
        higher = metrics[name]["higher_is_better"]
        good = value is not None and (value >= bound if higher else value <= bound)
        words = "at least" if higher else "at most"
        said = f"{titled(metrics[name])} is {number(value)}"
        message = f"{said}, {words} {number(bound)} is asked for (gate.bounds)."
        yield find(BOUND, name, good, message)


def constant(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    """Find what a constant answer would do as well."""
    yield from misnamed(CONSTANT, metrics, gate)
    for name in gate.beat_constant:
        if metrics.get(name, {}).get("constant") is None:
            continue
        value, constant = metrics[name]["candidate"]["value"], metrics[name]["constant"]
        higher = metrics[name]["higher_is_better"]
        good = value is not None and (value > constant if higher else value < constant)
        said = f"{titled(metrics[name])} is {number(value)}"
        message = f"{said}; always giving one best answer scores {number(constant)}."
        yield find(CONSTANT, name, good, message)


def enough(evaluation: Measured, gate: GateParams) -> Finding:
    """Find whether there are groups enough for intervals to mean something."""
    groups, cluster = evaluation["groups"], evaluation["cluster"]
    if cluster is None:
        message = "No gate.cluster is set: every row counts as independent of the others."
        return Finding(ENOUGH.id, "rows", Verdict.PASS, message)
    if groups >= gate.min_clusters:
        return Finding(ENOUGH.id, cluster, Verdict.PASS, f"{groups:,} groups of rows.")
    message = (
        f"{groups:,} groups of rows, at least {gate.min_clusters} are needed (gate.min_clusters). "
        "Hold out more partitions (data.holdout)."
    )
    return Finding(ENOUGH.id, cluster, Verdict.INCONCLUSIVE, message)


def calibrated(evaluation: Measured, gate: GateParams) -> Finding:
    """Find whether tenths of the rows, by score, have the mean outcome that their scores say."""
    most, tenths = gate.max_miscalibration, evaluation["curves"]["candidate"]["calibration"]
    if most is None:
        return find(CALIBRATED, "scores", True, "No bound is set (gate.max_miscalibration).")
    rows = sum(tenth["rows"] for tenth in tenths)
    off = [(abs(tenth["score"] - tenth["target"]), tenth) for tenth in tenths]
    mean = sum(error * tenth["rows"] for error, tenth in off) / rows if rows else math.inf
    message = f"Off by {number(mean)} in the mean, {number(most)} allowed (gate.max_miscalibration)"
    if off:
        error, tenth = max(off, key=lambda pair: pair[0])
        message += f"; most where scores are about {number(tenth['score'])}, by {number(error)}"
    good = mean <= most
    advice = "" if good else " Train on newer partitions, or calibrate the scores in model/."
    return find(CALIBRATED, "scores", good, f"{message}.{advice}")
