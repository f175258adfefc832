"""Candidate and champion compared on slices: the values of the SLICES columns, classes, outputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.config.params import EvaluateParams, GateParams
from mlops.serving.answer import CLASSES, Answer
from mlops.statistics.bootstrap import Comparison, Estimate
from mlops.statistics.metrics import Metric

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MISSING = "(missing)"
# The columns of slices that the answer gives rather than the rows.
CLASS, OUTPUT = "actual class", "output"
SHOWN = 3


@dataclass(frozen=True)
class ScoredRows:
    """The held-out rows with targets and the scores of both models; arrays are (rows, ...)."""

    frame: "DataFrame"
    target: np.ndarray
    cluster: np.ndarray | None
    candidate: np.ndarray
    champion: np.ndarray | None
    answer: Answer = Answer()

    def only(self, rows: np.ndarray, output: int | None = None) -> "ScoredRows":
        """Return some of the rows, with one of the outputs if it is given."""
        part = rows if output is None else (rows, output)
        return ScoredRows(
            frame=self.frame[rows],
            target=self.target[part],
            cluster=None if self.cluster is None else self.cluster[rows],
            candidate=self.candidate[part],
            champion=None if self.champion is None else self.champion[part],
            answer=self.answer if output is None else Answer(),
        )


@dataclass(frozen=True)
class _Slice:
    column: str
    value: str
    rows: np.ndarray
    groups: int
    metrics: list[Metric]
    output: int | None = None


def measure(
    scored: ScoredRows,
    columns: tuple[str, ...],
    metrics: list[Metric],
    settings: EvaluateParams,
    gate: GateParams,
    *,
    min_rows: int = 1,
) -> dict[str, Any]:
    """Return the slices that are compared, and those that are too small, for gate and report.

    Of those too small, only values in `min_rows` rows are named.

    The intervals of the differences hold for all slices and metrics at once (Bonferroni), by
    Student's t over the groups of a slice, which may be few.
    """
    if scored.answer.kind == CLASSES:
        columns = (*columns, CLASS)
    large = {column: list(_large(scored, column, metrics, gate)) for column in columns}
    extents = {column: _extent(scored, column, parts, min_rows) for column, parts in large.items()}
    single = [metric.single for metric in metrics if metric.single]
    if single:
        large[OUTPUT] = _outputs(scored, single)
        extents[OUTPUT] = _whole(scored)
    slices = [part for parts in large.values() for part in parts]
    comparisons = max(1, sum(len(part.metrics) for part in slices))
    return {
        "columns": extents,
        "comparisons": comparisons,
        "compared": [_compare(part, scored, settings, comparisons) for part in slices],
    }


def _outputs(scored: ScoredRows, metrics: list[Metric]) -> list[_Slice]:
    every = np.ones(len(scored.target), dtype=bool)
    groups = len(every) if scored.cluster is None else len(set(scored.cluster))
    return [
        _Slice(OUTPUT, name, every, groups, metrics, position)
        for position, name in enumerate(scored.answer.names)
    ]


def _whole(scored: ScoredRows) -> dict[str, Any]:
    nothing = {"values": 0, "largest": []}
    return {"values": len(scored.answer.names), "rows": len(scored.target), "small": nothing}


def _large(
    scored: ScoredRows, column: str, metrics: list[Metric], gate: GateParams
) -> Iterator[_Slice]:
    """Yield a slice for each value of a column with enough rows and groups, the largest first."""
    # Among rows of one class nothing can be ranked.
    metrics = [metric for metric in metrics if metric.by_row or column != CLASS]
    values = _values(scored, column)
    counts = values.value_counts()
    for value in counts.index[counts >= gate.slices.min_rows]:
        rows = (values == value).to_numpy()
        groups = _groups(scored, rows)
        if groups >= gate.min_clusters:
            yield _Slice(column, value, rows, groups, metrics)


def _extent(scored: ScoredRows, column: str, slices: list[_Slice], min_rows: int) -> dict[str, Any]:
    """Return the number of rows in the slices of a column, and the values too small for one.

    `groups` of a small value counts its groups, such as days, of which it may have too few.
    """
    values = _values(scored, column)
    counts = values.value_counts()
    small = counts.drop([part.value for part in slices])
    largest = {
        value: _groups(scored, (values == value).to_numpy())
        for value in small.index[small >= min_rows][:SHOWN]
    }
    return {
        "values": len(counts),
        "rows": int(counts.sum() - small.sum()),
        "small": {
            "values": len(small),
            "largest": list(largest),
            "rows": [int(small[value]) for value in largest],
            "groups": list(largest.values()),
        },
        # Nobody chose the classes for slices, so a rare one may stay without a comparison.
        **({"required": False} if column == CLASS else {}),
    }


def _groups(scored: ScoredRows, rows: np.ndarray) -> int:
    return int(rows.sum()) if scored.cluster is None else len(set(scored.cluster[rows]))


def _values(scored: ScoredRows, column: str) -> "Series":
    if column == CLASS:
        import pandas as pd

        return pd.Series(np.array(scored.answer.names, dtype=object)[scored.target])
    values = scored.frame[column].astype(object)
    return values.where(values.notna(), MISSING).astype(str)


def _compare(
    part: _Slice, scored: ScoredRows, settings: EvaluateParams, comparisons: int
) -> dict[str, Any]:
    scored = scored.only(part.rows, part.output)
    comparison = Comparison(scored.target, scored.cluster, settings)
    wider = widening(settings.confidence, comparisons, comparison.drawn)
    measured = {}
    for metric in part.metrics:
        estimates = comparison.estimates(metric, scored.candidate, scored.champion)
        if "difference" in estimates:
            estimates["difference"] = _widened(estimates["difference"], wider)
        measured[metric.name] = {name: plain(estimate) for name, estimate in estimates.items()}
    return {
        "column": part.column,
        "value": part.value,
        "rows": len(scored.target),
        "groups": part.groups,
        "metrics": measured,
    }


def widening(confidence: float, comparisons: int, groups: int) -> float:
    """Return the factor by which an interval widens to hold for all comparisons at once."""
    from scipy.special import stdtrit  # pylint: disable=no-name-in-module  # it is compiled

    outside = (1 - confidence) / 2
    ends = stdtrit(groups - 1, [1 - outside / comparisons, 1 - outside])
    return float(ends[0] / ends[1])


def _widened(estimate: Estimate, times: float) -> Estimate:
    value = estimate.value
    low, high = value + times * (estimate.low - value), value + times * (estimate.high - value)
    return Estimate(value, low, high, estimate.undefined)


def plain(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate as plain values for JSON, None where one is not finite."""
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    finite = {key: value if abs(value) < float("inf") else None for key, value in values.items()}
    return {**finite, "undefined": estimate.undefined}
