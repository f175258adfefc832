"""How often the monitor raises an alarm on the example: python machinery/benchmarks/monitor.py

Each line compares the rows of some days with a model's training rows, with the bounds in
params.yaml (`monitor:`). An alarm between odd and even days of a month, or between neighbouring
months, is false; one between January to March and the summer is correct. The scores are those of a
model trained on the rows before. With --labels, a model of all months up to one is judged by
labels: its metrics on the next month, as at the gate, are compared with those on the month after.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from pandas import DataFrame

from mlops.monitor import verdict
from mlops.monitor.drift import DatedRows, classifier_aucs, shift
from mlops.monitor.performance import Labelled, measure
from mlops.rules import Verdict
from mlops.training import calls, contract, partitions

PARAMS = contract.params()
COLUMNS = contract.columns(PARAMS.gate.cluster)
FEATURES = list(COLUMNS.features)
SUMMER = ("05", "06", "07", "08", "09")
METRICS = calls.metrics()


def months() -> dict[str, DataFrame]:
    """Return all partitions, by name."""
    return {name: partitions.load([name]).frame for name in contract.team_data().partitions()}


def train(frame: DataFrame):
    """Train the team's model."""
    target = partitions.target(frame, COLUMNS)
    options = {"device": "cpu", "threads": 1, "seed": 0}
    return contract.team_model().train(frame[FEATURES], target, PARAMS.model, **options)


def scored(model, frame: DataFrame) -> np.ndarray:
    """Return a model's scores of a frame."""
    return calls.predict(model, frame[FEATURES])


def rows_of(frame: DataFrame, scores: np.ndarray) -> DatedRows:
    """Return rows as the monitor compares them."""
    days = frame[COLUMNS.time].astype(str).to_numpy(str)
    return DatedRows(frame[FEATURES].assign(score=scores), days)


def compare(name: str, trained: DataFrame, served: DataFrame) -> Verdict:
    """Print the results of the drift rules; return the verdict."""
    model, limits = train(trained), PARAMS.monitor
    before, after = (rows_of(frame, scored(model, frame)) for frame in (trained, served))
    shifts = verdict.by_times([shift(column, before, after) for column in FEATURES])
    scores = shift("score", before, after)
    aucs = classifier_aucs(before, after, FEATURES)
    findings = [
        verdict.columns(shifts, limits),
        verdict.separability(aucs, limits),
        verdict.scores(scores, "", limits),
    ]
    decision = verdict.decide([verdict.enough_rows(10**6, 31, limits), *findings])
    moved = f"{shifts[0].column} {shifts[0].times:.1f}"
    alarms = " ".join(f.rule for f in findings if f.verdict is Verdict.FAIL)
    print(f"{name:<28} {moved:<20} {np.mean(aucs):<5.2f} {scores.times:<6.1f} {alarms}", flush=True)
    return decision.verdict


def comparisons(frames: dict[str, DataFrame]) -> Iterator[tuple[str, str, DataFrame, DataFrame]]:
    """Yield the kind of a comparison, its name, the training rows and the served rows."""
    names = list(frames)
    for name, frame in frames.items():
        odd = frame[COLUMNS.time].dt.day % 2 == 1
        yield "odd and even days", name, frame[odd], frame[~odd]
    for before, after in pairwise(names):
        yield "neighbouring months", f"{before} {after}", frames[before], frames[after]
    for before, after in pairwise(names):
        two_weeks = frames[after][COLUMNS.time].dt.day <= 14
        name = f"{before} {after}, 14 days"
        yield "a fortnight after a month", name, frames[before], frames[after][two_weeks]
    for last, after in zip(names[2:], names[4:]):
        trained = joined(frames, names[0], last)
        yield "all months, but one later", f"to {last}, {after}", trained, frames[after]
    for first, after in zip(names, names[3:]):
        trained = joined(frames, first, names[names.index(after) - 1])
        yield "three months and the next", f"from {first}, {after}", trained, frames[after]
    winter = joined(frames, names[0], names[2])
    for name in names[3:]:
        kind = "winter and summer" if name[-2:] in SUMMER else "winter and other months"
        yield kind, f"winter {name}", winter, frames[name]


def joined(frames: dict[str, DataFrame], first: str, last: str) -> DataFrame:
    """Return the rows of a range of months."""
    return partitions.load([name for name in frames if first <= name <= last]).frame


def labelled(frames: dict[str, DataFrame]) -> None:
    """Judge models by labels, month after month."""
    names = list(frames)
    for number in range(3, len(names) - 1):
        model = train(joined(frames, names[0], names[number - 1]))
        at_gate = {m.name: {**m.as_dict()} for m in measured(model, frames[names[number]], {})}
        served = measured(model, frames[names[number + 1]], at_gate)
        findings = verdict.performance(served, PARAMS.gate)
        results = ", ".join(f"{f.rule} {f.subject} {f.verdict}" for f in findings)
        print(f"to {names[number - 1]}, served {names[number + 1]}: {results}", flush=True)


def measured(model, frame: DataFrame, at_gate: dict):
    """Measure a model on the labelled rows of a month."""
    target = partitions.target(frame, COLUMNS).astype(float)
    days = frame[COLUMNS.time].astype(str).to_numpy(str)
    rows = Labelled(target, scored(model, frame), days)
    return measure(rows, METRICS, at_gate, PARAMS.evaluate)


def main() -> None:
    """Print every comparison, and the number of alarms of each kind."""
    frames, alarms, all_of = months(), {}, {}
    if "--labels" in sys.argv:
        labelled(frames)
        return
    print(f"{'compared':<28} {'moved most, times':<20} {'AUC':<5} {'scores':<6} alarm")
    for kind, name, trained, served in comparisons(frames):
        alarm = compare(name, trained, served) is Verdict.FAIL
        alarms[kind] = alarms.get(kind, 0) + alarm
        all_of[kind] = all_of.get(kind, 0) + 1
    for kind, count in all_of.items():
        print(f"{kind}: {alarms[kind]} alarms in {count}")


if __name__ == "__main__":
    main()
