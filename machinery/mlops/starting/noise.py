"""The section `gate` of params.yaml, from the intervals of a first evaluation: what is chance.

Functions return placeholders of the template `params.yaml` with their values.
"""

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.gate.formatting import number
from mlops.starting import suspects
from mlops.starting.infer import Inference
from mlops.starting.rounding import nice
from mlops.statistics.leakage import strengths

if TYPE_CHECKING:
    from pandas import Series

Values = dict[str, str]
Measured = dict[str, Any]

# The metric with a bound, and the one that must beat a constant, by kind of task.
BOUNDED = {
    "binary": "auc",
    "classes": "auc",
    "amount": "mae",
    "amounts": "mae",
    "quantiles": "pinball",
}
BEATEN = {
    "binary": "log_loss",
    "classes": "log_loss",
    "amount": "rmse",
    "amounts": "rmse",
    "quantiles": "pinball",
}
CEILING = {"binary": "auc", "classes": "auc", "amount": "r2", "amounts": "r2", "quantiles": "r2"}
NO_SKILL = {"auc": 0.5}
LEAST_MARGIN = {"auc": 0.005, "log_loss": 0.005}
# A metric as good as this has no room for a ceiling.
TOO_GOOD = 0.99
# The estimate of a feature's strength depends on the order of the rows; larger parts less so.
SHUFFLES, MOST_SHUFFLED = 3, 20_000
UNIT_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


def judged(inference: Inference, record: Measured) -> Values:
    """Return `gate`: bounds, margins and ceilings from the intervals of a first evaluation."""
    evaluation, kind = record["evaluation"], inference.task.kind
    metrics = evaluation["metrics"]
    return {
        **_cluster(inference, evaluation),
        **_bounds(metrics, BOUNDED[kind], evaluation),
        **_beaten(metrics, BEATEN[kind]),
        **_margins(metrics, (BOUNDED[kind], BEATEN[kind]), inference),
        **_ceilings(metrics, CEILING[kind]),
        **leakage(evaluation["features"], inference),
        **_calibration(evaluation),
        **_budgets(record),
        **_monitor(inference),
    }


def _cluster(inference: Inference, evaluation: Measured) -> Values:
    name, groups = inference.roles.cluster, evaluation["groups"]
    if name is None:
        reason = (
            "Column whose values group dependent rows; null: each row is independent of the "
            "others. If several rows belong to one customer, patient or day, name that column."
        )
        return {"cluster": "null", "cluster_reason": reason, "min_clusters": ""}
    what, least = f"Rows of one {name} depend on each other", 20
    if name == inference.roles.time:
        what, least = "Rows of one day share what happened that day", min(20, groups)
    return {
        "cluster": json.dumps(name),
        "cluster_reason": f"Column whose values group dependent rows. {what}.",
        "min_clusters": (
            "  # Fewest groups; with fewer the verdict is inconclusive. The held-out rows form "
            f"{groups:,}.\n  min_clusters: {least}\n"
        ),
    }


def _title(measured: Measured, capital: bool = True) -> str:
    title = measured["title"]
    return title[:1].upper() + title[1:] if capital else title


def _interval(measured: Measured) -> str:
    one = measured["candidate"]
    return f"{number(one['value'])} ({number(one['low'])} to {number(one['high'])} with 95 %)"


def _worse_end(measured: Measured) -> float:
    return measured["candidate"]["low" if measured["higher_is_better"] else "high"]


def _no_skill(name: str, measured: Measured) -> float:
    constant = measured["constant"]
    return NO_SKILL[name] if constant is None else constant


def _bounds(metrics: Measured, name: str, evaluation: Measured) -> Values:
    measured = metrics[name]
    none, end, higher = (
        _no_skill(name, measured),
        _worse_end(measured),
        measured["higher_is_better"],
    )
    skilled = end > none if higher else end < none
    bound = (none + end) / 2 if skilled else none
    if skilled:
        why = (
            f"halfway between that and the {'lower' if higher else 'upper'} end is a model that "
            "has lost half of what this table offers"
        )
    else:
        why = "chance alone could give the difference, so no better bound can be justified yet"
    return {
        "bounds": f"{{{name}: {_towards(bound, none)}}}",
        "bounds_reason": (
            f"Worst value allowed. On {evaluation['rows']:,} held-out rows "
            f"{_title(measured, False)} is {_interval(measured)}; a constant answer has "
            f"{number(none)}; {why}."
        ),
    }


def _towards(value: float, limit: float) -> str:
    """Return a value with three digits, rounded towards a limit."""
    digits = 2 - math.floor(math.log10(abs(value) or 1))
    scale = 10.0**digits
    rounded = (math.floor if limit < value else math.ceil)(value * scale) / scale
    return f"{rounded:.{max(0, digits)}f}".rstrip("0").rstrip(".") if digits > 0 else f"{rounded:g}"


def _beaten(metrics: Measured, name: str) -> Values:
    measured = metrics[name]
    return {
        "beat_constant": f"[{name}]",
        "beat_reason": (
            "Metrics that must be better than the best constant answer's. "
            f"{_title(measured)} is {number(measured['candidate']['value'])}, the constant's "
            f"{number(measured['constant'])}."
        ),
    }


def _margins(metrics: Measured, names: tuple[str, ...], inference: Inference) -> Values:
    halves = {
        name: (metrics[name]["candidate"]["high"] - metrics[name]["candidate"]["low"]) / 2
        for name in names
    }
    # Of perfect predictions all replicates are alike, and the interval has no width.
    margins = {name: max(nice(half), LEAST_MARGIN.get(name, 0.0)) for name, half in halves.items()}
    listed = ", ".join(f"{number(half)} ({name})" for name, half in halves.items())
    count = inference.partitioning.holdout
    held_out = "the held-out partition" if count == 1 else f"{count} held-out partitions"
    return {
        "margins": "{" + ", ".join(f"{name}: {one:g}" for name, one in margins.items()) + "}",
        "margins_reason": (
            "How much worse than the champion each metric may be. On "
            f"{held_out} half an interval is {listed} wide; a smaller margin is within chance."
        ),
    }


def _ceilings(metrics: Measured, name: str) -> Values:
    high = metrics[name]["candidate"]["high"]
    if not -1 < high < TOO_GOOD:
        text = "Best value believed of a metric. None is set: this table gives nearly perfect ones."
        return {"ceilings": "{}", "ceilings_reason": text}
    ceiling = math.ceil(500 * (max(high, 0) + 1)) / 1000
    return {
        "ceilings": f"{{{name}: {ceiling:g}}}",
        "ceilings_reason": (
            f"Best value believed. {_title(metrics[name])} is {_interval(metrics[name])}; halfway "
            "from there to perfection lies what only a column known afterwards would give."
        ),
    }


def _strongest(inference: Inference) -> dict[str, float]:
    """Return the most that each feature predicted alone: in any run of as many partitions as are
    held out, in a few orders of their rows.
    """
    split, cluster = inference.partitioning, inference.roles.cluster
    runs = [split.used[i : i + split.holdout] for i in range(len(split.used) - split.holdout + 1)]
    most: dict[str, float] = {}
    for run in runs:
        for seed in range(SHUFFLES):
            rows = inference.frame[split.of_row.isin(run)].sample(frac=1, random_state=seed)
            rows = rows.head(MOST_SHUFFLED)
            target = np.column_stack(suspects.outcomes(rows, inference.task))
            groups = None if cluster is None else _groups(rows[cluster])
            result = strengths(rows, inference.screening.features, target, groups)
            if result["measure"] != inference.screening.measure:
                continue  # by chance its amounts are 0 and 1 only
            for name, value in result["strength"].items():
                most[name] = max(most.get(name, -np.inf), -np.inf if value is None else value)
    return most


def _groups(column: "Series") -> np.ndarray:
    return (column.dt.normalize() if column.dtype.kind == "M" else column).to_numpy()


def leakage(features: Measured, inference: Inference) -> Values:
    """Return the bound on one feature, which any partition in any order of its rows keeps."""
    everywhere = _strongest(inference)
    strength = {
        name: max(value, everywhere.get(name, value))
        for name, value in features["strength"].items()
        if value is not None
    }
    measure = features["measure"]
    name = max(strength, key=lambda name: strength[name], default="")
    value = max(strength.get(name, 0.0), 0.0)
    most = max(math.ceil(50 * (value + 1)) / 100, 0.6)
    return {
        "leakage": f"max_{measure}: {min(most, 1.0):g}",
        "leakage_reason": (
            f"Highest {suspects.TITLES[measure]} of one feature by itself. The strongest is "
            f"{name}, with up to {number(value)} in partitions taken as the held-out ones, their "
            f"rows in {SHUFFLES} orders; the bound lies halfway to perfection."
        ),
    }


def _calibration(evaluation: Measured) -> Values:
    tenths = evaluation["curves"]["candidate"].get("calibration") or []
    rows = sum(one["rows"] for one in tenths)
    if not rows:
        return {
            "miscalibration": "null",
            "miscalibration_reason": "Largest mean distance between score and outcome: not judged.",
        }
    error = sum(abs(one["score"] - one["target"]) * one["rows"] for one in tenths) / rows
    return {
        "miscalibration": f"{nice(3 * error) or 1:g}",
        "miscalibration_reason": (
            "Largest mean distance between score and outcome, by tenths of the rows: three times "
            f"the {number(error)} of now."
        ),
    }


def _budgets(record: Measured) -> Values:
    megabytes = record["model"]["bytes"] / 1e6
    half, most = (record["cost"][f"predict_usual_{share}_ms"] for share in ("p50", "p99"))
    return {
        "model_mb": f"{max(1.0, nice(5 * megabytes)):g}",
        "model_reason": (
            f"Largest size of the model's files, MB. It has {megabytes:.2g}; one five times as "
            "large means that a parameter was set much too high."
        ),
        "p50_ms": f"{max(2.0, nice(5 * half)):g}",
        "p99_ms": f"{max(100.0, nice(10 * most)):g}",
        "latency_reason": (
            "Longest time to score one row in process, ms: of half the rows, and of 99 in 100. "
            f"Here it took {half:.2g} and {most:.2g}; machines differ, and the tail suffers from "
            "neighbours."
        ),
    }


def _monitor(inference: Inference) -> Values:
    split = inference.partitioning
    newest = split.of_row == split.last
    rows = max(20, min(1000, int(newest.sum()) // 2))
    days = 14
    if not split.made_up and inference.roles.time in inference.frame:
        days = int(inference.frame.loc[newest, inference.roles.time].dt.normalize().nunique())
    return {
        "min_rows": str(rows),
        "min_rows_reason": (
            f"Fewest rows to judge by, served or labelled. {split.last} has {int(newest.sum()):,}."
        ),
        "min_days": str(max(4, min(14, days))),
        "min_days_reason": "Fewest days to judge by. " + _days_reason(split.made_up, days),
        **_age(split.unit, inference),
    }


def _days_reason(made_up: bool, days: int) -> str:
    if made_up or days >= 14:
        return "14 days hold two of every weekday."
    return f"A partition has {days}; 14 would hold two of every weekday."


def _age(unit: str, inference: Inference) -> Values:
    days = UNIT_DAYS.get(unit)
    if unit == "span of days":
        dates = inference.frame[inference.roles.time]
        span = (dates.max() - dates.min()).days / len(inference.partitioning.names)
        days = max(1, round(span))
    if days is None:
        reason = "Age of production's release beyond which retraining is tried; null: no limit."
        return {"max_age_days": "null", "age_reason": reason}
    return {
        "max_age_days": str(math.ceil(1.5 * days)),
        "age_reason": (
            "Age of production's release, in days, beyond which retraining is tried. A partition "
            f"arrives every {days} days; an older release has missed one."
        ),
    }
