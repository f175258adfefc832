"""The numbers of params.yaml, from this table: what is usual in it, and what is chance.

Functions return placeholders of the template `params.yaml` with their values.
"""

import json
import math
from statistics import median
from typing import TYPE_CHECKING, Any

from mlops.gate.formatting import number
from mlops.starting.infer import Inference
from mlops.statistics.quality import Profile, profile

if TYPE_CHECKING:
    from pandas import DataFrame

Values = dict[str, str]
Measured = dict[str, Any]

STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
# The metric with a bound, and the one that must beat a constant, by kind of task.
BOUNDED = {"binary": "auc", "classes": "auc", "amount": "mae", "amounts": "mae"}
BEATEN = {"binary": "log_loss", "classes": "log_loss", "amount": "rmse", "amounts": "rmse"}
CEILING = {"binary": "auc", "classes": "auc", "amount": "r2", "amounts": "r2"}
NO_SKILL = {"auc": 0.5}
# A metric as good as this has no room for a ceiling.
TOO_GOOD = 0.99
UNIT_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


def nice(value: float, up: bool = True) -> float:
    """Return the next round number above (or below) a positive value: 1, 1.5, 2, 2.5, 3, 4 ..."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    steps = [step * unit for step in STEPS]
    near = [step for step in steps if (step >= value * 0.999 if up else step <= value * 1.001)]
    return float(f"{(min(near) if up else max(near)):.12g}")


def usual(inference: Inference) -> Values:
    """Return `data` and `check`: how much the partitions of this table differ from each other."""
    split, rows = inference.partitioning, inference.frame.drop(
        columns=inference.time, errors="ignore"
    )
    profiles = {
        name: profile(rows[split.of_row == name].assign(time=0), "time") for name in split.used
    }
    held_out, count = split.used[-split.holdout :], int(split.held_out.sum())
    listed = held_out[0] if split.holdout == 1 else f"{held_out[0]} to {held_out[-1]}"
    return {
        "first": json.dumps(split.first),
        "first_reason": _first_reason(inference),
        "last": json.dumps(split.last),
        "last_reason": _last_reason(inference),
        "holdout": str(split.holdout),
        "holdout_reason": (
            f"How many of the newest partitions are held out to judge on, and never trained on: "
            f"{listed}, {count:,} of {int(split.trained_on.sum()) + count:,} rows."
        ),
        **_volume(profiles),
        **_missing(profiles),
        **_unseen(profiles),
        **_twins(profiles, held_out),
    }


def _first_reason(inference: Inference) -> str:
    first, names = inference.partitioning.first, inference.partitioning.names
    if first is None:
        return "Oldest partition used; null: the oldest there is."
    return f"Oldest partition used. {names[0]} is not whole: it has few rows."


def _last_reason(inference: Inference) -> str:
    split = inference.partitioning
    text = "Newest partition used. Naming a newer one adopts it, and that line is the whole change."
    newer = split.names[-1]
    return (
        text if newer == split.last else f"{text} {newer} is not whole yet: it has far fewer rows."
    )


def _volume(profiles: dict[str, Profile]) -> Values:
    rows = [one.rows for one in profiles.values()]
    ratios = [rows[i] / median(rows[:i]) for i in range(1, len(rows))]
    least = min(min(ratio, 1 / ratio) for ratio in ratios)
    seen = f"from {min(rows):,} to" if min(rows) < max(rows) else "all"
    return {
        "least_rows": f"{max(0.01, nice(0.8 * least, up=False)):g}",
        "least_rows_reason": (
            "Fewest rows of a partition, as a share of the usual number; its inverse bounds the "
            f"most. Partitions have {seen} {max(rows):,} rows, at least {least:.2f} times the usual; "
            "a fifth more is left to chance."
        ),
    }


def _missing(profiles: dict[str, Profile]) -> Values:
    shift, column = 0.0, ""
    past: list[Profile] = []
    for one in profiles.values():
        for name, share in one.missing.items():
            before = [other.missing[name] for other in past]
            away = max(min(before) - share, share - max(before)) if before else 0.0
            shift, column = max((shift, column), (away, name))
        past.append(one)
    reason = (
        f"{column} left it by {shift:.3f} once."
        if shift
        else ("No column has missing values." if not _gaps(profiles) else "No column left it.")
    )
    return {
        "missing_shift": f"{max(0.05, min(1.0, nice(2 * shift))):g}",
        "missing_reason": (
            "How far a column's share of missing values may leave the range of earlier partitions. "
            f"{reason}"
        ),
    }


def _gaps(profiles: dict[str, Profile]) -> bool:
    return any(share for one in profiles.values() for share in one.missing.values())


def _unseen(profiles: dict[str, Profile]) -> Values:
    most, column = 0.0, ""
    past: list[Profile] = []
    for one in profiles.values():
        for name, counts in one.categories.items():
            earlier = {value for other in past for value in other.categories.get(name, {})}
            new = sum(rows for value, rows in counts.items() if value not in earlier)
            most, column = max((most, column), (new / one.rows if earlier else 0.0, name))
        past.append(one)
    reason = f"{column} had {most:.1%} in one partition." if most else "There was none."
    return {
        "max_unseen": f"{max(0.02, min(1.0, nice(1.5 * most))):g}",
        "unseen_reason": (
            "Largest share of rows with a category that no earlier partition had. " + reason
        ),
    }


def _twins(profiles: dict[str, Profile], held_out: list[str]) -> Values:
    import numpy as np

    new = np.concatenate([profiles[name].hashes for name in held_out])
    old = np.concatenate([one.hashes for name, one in profiles.items() if name not in held_out])
    share = float(np.isin(new, old).mean())
    return {
        "max_twins": f"{max(0.001, min(1.0, nice(1.5 * share))):g}",
        "twins_reason": (
            "Largest share of held-out rows that are also among those trained on: now "
            f"{share:.2%}. Rows delivered twice would be known by heart."
        ),
    }


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
        **_leakage(evaluation["features"], inference.screening.strength),
        **_calibration(evaluation),
        **_budgets(record),
        **_monitor(inference),
    }


def _cluster(inference: Inference, evaluation: Measured) -> Values:
    name, groups = inference.cluster, evaluation["groups"]
    if name is None:
        reason = (
            "Column whose values group dependent rows; null: each row is independent of the others. "
            "If several rows belong to one customer, patient or day, name that column."
        )
        return {"cluster": "null", "cluster_reason": reason, "min_clusters": ""}
    what = (
        "Rows of one day share what happened that day"
        if name == inference.time
        else (f"Rows of one {name} depend on each other")
    )
    return {
        "cluster": json.dumps(name),
        "cluster_reason": f"Column whose values group dependent rows. {what}.",
        "min_clusters": (
            "  # Fewest groups; with fewer the verdict is inconclusive. The held-out rows form "
            f"{groups:,}.\n  min_clusters: {min(20, groups) if name == inference.time else 20}\n"
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
            f"Worst value allowed. On {evaluation['rows']:,} held-out rows {_title(measured, False)} "
            f"is {_interval(measured)}; a constant answer has {number(none)}; {why}."
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
    margins = {name: nice(half) for name, half in halves.items()}
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


def _leakage(features: Measured, everywhere: dict[str, float]) -> Values:
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
            f"Highest {'AUC' if measure == 'auc' else 'R2'} of one feature by itself. The "
            f"strongest is {name} with {number(value)}; the bound lies halfway to perfection."
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
    megabytes, cost = record["model"]["bytes"] / 1e6, record["cost"]
    return {
        "model_mb": f"{max(1.0, nice(5 * megabytes)):g}",
        "model_reason": (
            f"Largest size of the model's files, MB. It has {megabytes:.2g}; one five times as "
            "large means that a parameter was set much too high."
        ),
        "p50_ms": f"{max(2.0, nice(5 * cost['predict_usual_p50_ms'])):g}",
        "p99_ms": f"{max(100.0, nice(10 * cost['predict_usual_p99_ms'])):g}",
        "latency_reason": (
            "Longest time to score one row in process, ms: of half the rows, and of 99 in 100. "
            f"Here it took {cost['predict_usual_p50_ms']:.2g} and {cost['predict_usual_p99_ms']:.2g}; machines differ, and the "
            "tail suffers from neighbours."
        ),
    }


def _monitor(inference: Inference) -> Values:
    split = inference.partitioning
    newest = split.of_row == split.last
    rows = max(20, min(1000, int(newest.sum()) // 2))
    days = 14
    if not split.made_up and inference.time in inference.frame:
        days = int(inference.frame.loc[newest, inference.time].dt.normalize().nunique())
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
        dates = inference.frame[inference.time]
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
