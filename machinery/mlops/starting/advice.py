"""The three things to look at next, from what was seen in the table and in the first training."""

import re
from collections.abc import Iterator
from typing import Any

from mlops.gate.formatting import number
from mlops.starting.infer import Inference
from mlops.starting.noise import BEATEN, BOUNDED
from mlops.starting.suspects import TITLES
from mlops.starting.task import plain

MOST = 3
# The outcome moved if the share of a class did so much, or an amount so many standard deviations.
MOVED_SHARE, MOVED_SPREAD = 0.1, 0.5
# A column that may name what several rows belong to.
SEVERAL_TIMES, FEWEST_GROUPS = 2, 20
GROUP_NAME = re.compile(
    r"(?i)(customer|client|patient|user|subject|person|member|account|machine|device|store|shop"
    r"|household|driver|student|school|(^|[_\W])id)([_\W]?(id|no|nr|number))?$"
)
GROUP_TOO = (
    "; if several rows belong to one customer, patient or machine, name it with GROUP=, or all "
    "intervals are too narrow."
)
# With more days than this share of the rows, nearly each row has a day of its own.
DAILY = 0.8
FEW_ROWS, MANY_MISSING, RARE = 200, 0.3, 0.05
SHOWN = 4
# With an AUC above this the rows are in a useful order; an R2 below this is little.
ORDERED, LITTLE = 0.55, 0.3


def look_at(inference: Inference, record: dict[str, Any], family: str) -> list[str]:
    """Return the three most important remarks on a model of this family."""
    remarks = [*_skill(inference, record, family), *_changed(inference), *_suspects(inference)]
    remarks += [*_rows(inference), *_values(inference), *_always()]
    return remarks[:MOST]


def _skill(inference: Inference, record: dict[str, Any], family: str) -> Iterator[str]:
    metrics, kind = record["evaluation"]["metrics"], inference.task.kind
    beaten = metrics[BEATEN[kind]]
    value, constant = beaten["candidate"]["value"], beaten["constant"]
    if constant is not None and (value < constant) == beaten["higher_is_better"]:
        against = f"{BEATEN[kind]} {number(value)} against {number(constant)} of a constant"
        if _orders(metrics):
            way = "a smaller model.c in params.yaml" if family == "linear" else "MODEL=linear"
            auc = number(metrics["auc"]["candidate"]["value"])
            yield (
                f"The model orders the rows well (AUC {auc}), but its probabilities are too sure: "
                f"{against}. Try {way}."
            )
        else:
            yield (
                f"The model is no better than a constant: {against}. Are the columns that matter "
                "in the table?"
            )
    elif "r2" in metrics and metrics["r2"]["candidate"]["high"] < LITTLE:
        explained = metrics["r2"]["candidate"]["value"]
        yield (
            f"The model explains {max(explained, 0):.0%} of the variation of "
            f"{inference.task.target}. Are the columns that matter in the table?"
        )


def _orders(metrics: dict[str, Any]) -> bool:
    """Return whether the AUC is better than chance, so that the columns do matter."""
    return "auc" in metrics and metrics["auc"]["candidate"]["low"] > ORDERED


def _changed(inference: Inference) -> Iterator[str]:
    """Yield how the outcome differs between the rows trained on and those held out."""
    split, name = inference.partitioning, inference.task.targets[0]
    before = inference.frame.loc[split.trained_on, name]
    after = inference.frame.loc[split.held_out, name]
    if inference.task.labels:
        shares = [one.value_counts(normalize=True) for one in (before, after)]
        moved = shares[1].sub(shares[0], fill_value=0)
        label = moved.abs().idxmax()
        if abs(moved[label]) > MOVED_SHARE:
            old, new = (share.get(label, 0.0) for share in shares)
            yield (
                f"{name} itself changed: {plain(label)!r} was {old:.0%} of the rows trained on, "
                f"and is {new:.0%} of those held out. Do both parts describe the same thing?"
            )
    elif abs(after.mean() - before.mean()) > MOVED_SPREAD * before.std():
        yield (
            f"{name} itself changed: its mean was {number(before.mean())} in the rows trained on, "
            f"and is {number(after.mean())} in those held out."
        )


def _suspects(inference: Inference) -> Iterator[str]:
    screening = inference.screening
    leaks = [one for one in screening.left_out if one.kind in ("leak", "known afterwards")]
    if leaks:
        listed = "; ".join(f"{one.column}: {one.reason}" for one in leaks[:SHOWN])
        yield f"Left out because the outcome shows in them: {listed}."
    if screening.strong:
        name, value = list(screening.strong.items())[0]
        yield (
            f"{name} alone has {TITLES[screening.measure]} {value:.2f}. Is its value known when "
            "the question is asked? If not, take it out of data/schema.py."
        )
    others = [one for one in screening.left_out if one not in leaks]
    if others:
        listed = ", ".join(f"{one.column} ({one.kind})" for one in others[:SHOWN])
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        yield f"Left out: {listed}{more}; data/README.md has the reasons."


def _rows(inference: Inference) -> Iterator[str]:
    split, count = inference.partitioning, int(inference.partitioning.held_out.sum())
    if count < FEW_ROWS:
        yield (
            f"Only {count} rows are held out, so intervals are wide and only a large loss will be "
            "noticed. More rows help more than a better model."
        )
    if split.made_up and split.unit == "file":
        yield (
            "No column orders the rows, so the files count as ordered by their names: "
            f"{split.used[0]} to {split.last}. Is that their order in time? If not, rename them."
        )
    elif split.made_up:
        group = inference.roles.cluster is None and _group_column(inference) is None
        yield (
            "The rows have no date, so nothing shows how the model ages: it was judged on rows of "
            "the same time. Add a date column and start again with TIME="
            f"{GROUP_TOO if group else '.'}"
        )
    if inference.roles.cluster is None or inference.roles.days:
        yield from _groups(inference)


def _group_column(inference: Inference) -> str | None:
    """Return the first feature that may name what several rows belong to."""
    for name in inference.screening.features:
        values = inference.frame[name].nunique()
        several = SEVERAL_TIMES * values < len(inference.frame) and values >= FEWEST_GROUPS
        if several and GROUP_NAME.search(name):
            return name
    return None


def _groups(inference: Inference) -> Iterator[str]:
    frame, split, name = inference.frame, inference.partitioning, _group_column(inference)
    if name:
        yield (
            f"{name} has {frame[name].nunique():,} values in {len(frame):,} rows. If the rows of "
            f"one {name} depend on each other, start again with GROUP={name}, or all intervals are "
            "too narrow."
        )
    elif inference.roles.cluster is not None or split.made_up and split.unit != "file":
        return  # the remark on rows without a date names both
    elif not split.made_up and frame[inference.roles.time].dt.normalize().nunique() > DAILY * len(
        frame
    ):
        yield (
            "Nearly each row has a day of its own, and counts as independent of its neighbours. "
            "Neighbouring days are alike, so all intervals may be too narrow; yesterday's values "
            "as columns may help the model."
        )
    else:
        yield (
            "Every row counts as independent. If several belong to one customer, patient or "
            "machine, start again with GROUP=, or all intervals are too narrow."
        )


def _values(inference: Inference) -> Iterator[str]:
    frame = inference.frame
    missing = frame.isna().mean().sort_values(ascending=False)
    if missing.iloc[0] > MANY_MISSING:
        yield f"{missing.index[0]} is missing in {missing.iloc[0]:.0%} of the rows. Is that usual?"
    if inference.task.labels:
        shares = frame[inference.task.targets[0]].value_counts(normalize=True)
        if shares.iloc[-1] < RARE:
            yield (
                f"{plain(shares.index[-1])!r} is rare, {shares.iloc[-1]:.1%} of the rows: watch "
                f"{BOUNDED[inference.task.kind]} and the calibration, not the accuracy."
            )


def _always() -> Iterator[str]:
    yield "data/schema.py: ranges are guesses and descriptions repeat the names; you know better."
    yield "params.yaml: read each bound with its reason, and move those that are too lenient."
