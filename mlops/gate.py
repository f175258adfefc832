"""The gate: from a record, the check of its data and params.yaml to findings; reads no file."""

import math
from collections.abc import Iterator
from typing import Any

from mlops.params import GateParams
from mlops.record import Record
from mlops.rules import (
    BOUND,
    CHAMPION_RAN,
    CONSTANT,
    DATA_CHECKED,
    ENOUGH,
    FINITE,
    HELD_OUT,
    NOT_WORSE,
    Finding,
    Rule,
    Verdict,
)

Measured = dict[str, Any]


def judge(record: Record, data_check: dict[str, Any] | None, gate: GateParams) -> list[Finding]:
    """Return what every rule finds about a record that has been evaluated."""
    evaluation = record["evaluation"]
    return [
        _data_checked(record, data_check),
        *_held_out(record, evaluation["champion"]),
        *_finite(evaluation["metrics"]),
        *_bounds(evaluation["metrics"], gate),
        *_constant(evaluation["metrics"], gate),
        _enough(evaluation, gate),
        *_against_champion(evaluation, gate),
    ]


def summary(findings: list[Finding], verdict: Verdict) -> str:
    """Return why the verdict is what it is, in one sentence."""
    deciding = [finding for finding in findings if finding.verdict is verdict]
    if verdict is Verdict.PASS:
        return f"All {len(findings)} checks passed."
    first = f"{deciding[0].rule} {deciding[0].subject}: {deciding[0].message}"
    others = len(deciding) - 1
    return f"{first.removesuffix('.')} (and {others} more)." if others else first


def _find(rule: Rule, subject: str, good: bool, message: str) -> Finding:
    return Finding(rule.id, subject, Verdict.PASS if good else Verdict.FAIL, message)


def _data_checked(record: Record, check: dict[str, Any] | None) -> Finding:
    data = record["data"]
    wanted = {**data["train"]["fingerprints"], **data["holdout"]["fingerprints"]}
    if check is None:
        message = "The data were not checked. Run `make check-data`."
    elif check["fingerprints"] != wanted:
        message = "Other data were checked than were used. Run `make check-data` again."
    else:
        return _find(DATA_CHECKED, "data", check["verdict"] == "pass", check["reason"])
    return _find(DATA_CHECKED, "data", False, message)


def _held_out(record: Record, champion: Measured | None) -> Iterator[Finding]:
    data = record["data"]
    last, first = data["train"]["last"], data["holdout"]["first"]
    # Days need no midnight.
    shown = [time.removesuffix("T00:00:00") for time in (last, first)]
    message = f"Trained on rows up to {shown[0]}, judged on rows from {shown[1]}."
    yield _find(HELD_OUT, "candidate", last < first, message)
    if champion:
        shared = sorted(set(champion["trained_on"]) & set(data["holdout"]["partitions"]))
        good = f"The champion {champion['release_id']} has not seen these rows either."
        bad = (
            f"The champion {champion['release_id']} was trained on {', '.join(shared)}, held out "
            "here, so it would look better than it is. Judge on newer partitions (data.last)."
        )
        yield _find(HELD_OUT, "champion", not shared, bad if shared else good)


def _finite(metrics: dict[str, Measured]) -> Iterator[Finding]:
    if not metrics:
        yield _find(
            FINITE, "metrics", False, "No metric was computed; model/evaluate.py names none."
        )
    for name, measured in metrics.items():
        candidate = measured["candidate"]
        numbers = [candidate[key] for key in ("value", "low", "high")]
        good = all(number is not None and math.isfinite(number) for number in numbers)
        message = interval(candidate)
        if not good:
            message = "This is no number: the scores hold NaN, or the held-out rows one class only."
        yield _find(FINITE, name, good, message)


def _bounds(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    for name, bound in gate.bounds.items():
        if name not in metrics:
            yield _unknown(BOUND, name, "gate.bounds", metrics)
            continue
        value = metrics[name]["candidate"]["value"]
        higher = metrics[name]["higher_is_better"]
        good = value is not None and (value >= bound if higher else value <= bound)
        words = "at least" if higher else "at most"
        message = f"{number(value)}, {words} {number(bound)} asked for (gate.bounds)."
        yield _find(BOUND, name, good, message)


def _constant(metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    for name in gate.beat_constant:
        if metrics.get(name, {}).get("constant") is None:
            yield _unknown(CONSTANT, name, "gate.beat_constant", metrics)
            continue
        value, constant = metrics[name]["candidate"]["value"], metrics[name]["constant"]
        higher = metrics[name]["higher_is_better"]
        good = value is not None and (value > constant if higher else value < constant)
        message = f"{number(value)}; always giving one best answer scores {number(constant)}."
        yield _find(CONSTANT, name, good, message)


def _unknown(rule: Rule, name: str, key: str, metrics: dict[str, Measured]) -> Finding:
    known = [n for n, m in metrics.items() if rule is not CONSTANT or m["constant"] is not None]
    return _find(
        rule,
        name,
        False,
        f"params.yaml: {key} names {name!r}, which was not measured. "
        f"It can name {', '.join(known) or 'nothing here'}; model/evaluate.py chooses the metrics.",
    )


def _enough(evaluation: Measured, gate: GateParams) -> Finding:
    groups, cluster = evaluation["groups"], evaluation["cluster"]
    if cluster is None:
        message = "No gate.cluster is set: every row counts as independent of the others."
        return Finding(ENOUGH.id, "rows", Verdict.PASS, message)
    if groups >= gate.min_clusters:
        return Finding(ENOUGH.id, cluster, Verdict.PASS, f"{groups} groups of rows.")
    message = (
        f"{groups} groups of rows, at least {gate.min_clusters} are needed (gate.min_clusters). "
        "Hold out more partitions (data.holdout)."
    )
    return Finding(ENOUGH.id, cluster, Verdict.INCONCLUSIVE, message)


def _against_champion(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    champion, metrics = evaluation["champion"], evaluation["metrics"]
    if champion is None:
        message = "There is no champion yet, so the bounds alone decide."
        yield Finding(NOT_WORSE.id, "champion", Verdict.PASS, message)
        return
    if champion["error"]:
        message = (
            f"{champion['release_id']} could not be scored: {champion['error']} Mend that, or roll "
            "production back to a release that runs; without it nobody knows if this is better."
        )
        yield Finding(CHAMPION_RAN.id, "champion", Verdict.INCONCLUSIVE, message)
        return
    yield _find(CHAMPION_RAN, "champion", True, f"{champion['release_id']} scored the same rows.")
    if not gate.margins:
        message = "params.yaml: gate.margins names no metric to compare by. Name at least one."
        yield Finding(NOT_WORSE.id, "metrics", Verdict.INCONCLUSIVE, message)
    for name, margin in gate.margins.items():
        if name in metrics:
            yield _not_worse(name, metrics[name], margin)
        else:
            yield _unknown(NOT_WORSE, name, "gate.margins", metrics)


def _not_worse(name: str, measured: Measured, margin: float) -> Finding:
    """Judge one difference; `least` and `most` say how much worse it is at either end."""
    difference = measured["difference"]
    if difference["low"] is None:
        message = "The difference has no interval: a metric is no number in every replicate."
        return Finding(NOT_WORSE.id, name, Verdict.INCONCLUSIVE, message)
    least, most = difference["low"], difference["high"]
    if measured["higher_is_better"]:
        least, most = -most, -least
    found = f"{signed(difference)} against the champion"
    if most <= margin:
        message = f"{found}; worse by at most {number(most)}, {number(margin)} allowed."
        verdict = Verdict.PASS
        if most <= 0:
            message = f"{found}; significantly better."
    elif least > 0:
        verdict = Verdict.FAIL
        message = (
            f"{found}; significantly worse, by up to {number(most)}, {number(margin)} allowed."
        )
    else:
        verdict = Verdict.INCONCLUSIVE
        message = (
            f"{found}; could be worse by {number(most)}, {number(margin)} allowed, and could be no "
            "worse at all. Hold out more rows (data.holdout) to tell."
        )
    return Finding(NOT_WORSE.id, name, verdict, message)


def number(value: float | None) -> str:
    """Return a metric's value as people read it."""
    return "no number" if value is None else f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"


def interval(estimate: Measured) -> str:
    """Return an estimate with its interval in brackets."""
    if estimate["low"] is None:
        return number(estimate["value"])
    return f"{number(estimate['value'])} [{number(estimate['low'])}, {number(estimate['high'])}]"


def signed(estimate: Measured) -> str:
    """Return a difference with its sign and interval."""
    value, low, high = (
        "no number" if estimate[key] is None else f"{estimate[key]:+.4f}"
        for key in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"
