"""The sections `data` and `check` of params.yaml, from this table: what is usual in it.

Functions return placeholders of the template `params.yaml` with their values.
"""

import json
from statistics import median

from mlops.gate.quality import LEAST_CHANCE
from mlops.starting.infer import Inference
from mlops.starting.rounding import nice
from mlops.statistics.quality import Profile, chance_of_one_value, profile

Values = dict[str, str]


def usual(inference: Inference) -> Values:
    """Return `data` and `check`: how much the partitions of this table differ from each other."""
    split, profiles = inference.partitioning, _profiles(inference)
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
        **_frozen(profiles),
        **_twins(profiles, held_out),
    }


def _profiles(inference: Inference) -> dict[str, Profile]:
    split, time, rows = inference.partitioning, inference.roles.time, inference.frame
    if split.made_up:
        rows = rows.assign(**{time: 0})
    texts = inference.screening.texts
    return {name: profile(rows[split.of_row == name], time, texts) for name in split.used}


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
    range_ = f"from {min(rows):,} to" if min(rows) < max(rows) else "all"
    return {
        "least_rows": f"{max(0.01, nice(0.8 * least, up=False)):g}",
        "least_rows_reason": (
            "Fewest rows of a partition, as a share of the usual number; its inverse bounds the "
            f"most. Partitions have {range_} {max(rows):,} rows, at least {least:.2f} times the "
            "usual; a fifth more is left to chance."
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


def _frozen(profiles: dict[str, Profile]) -> Values:
    """Name the columns that rule D105 would refuse, although the table is as it should be."""
    frozen = {}
    past: list[Profile] = []
    for partition, one in profiles.items():
        for name, (value, rows) in one.frozen.items():
            before = [other.commonest[name] for other in past if name in other.commonest]
            several = past and len(before) == len(past)
            if several and chance_of_one_value(value, rows, before) < LEAST_CHANCE:
                frozen.setdefault(name, partition)
        past.append(one)
    if not frozen:
        return {"may_freeze": "", "may_freeze_list": "[]"}
    listed = ", ".join(f"{name} in {partition}" for name, partition in frozen.items())
    names = json.dumps(list(frozen))
    reason = f"Columns that may have one value in a whole partition. They had: {listed}."
    return {
        "may_freeze": f"  # {reason}\n  may_freeze: {names}\n",
        "may_freeze_list": names,
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
