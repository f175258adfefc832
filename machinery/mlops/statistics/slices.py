"""Candidate against champion on slices of the rows: each value of the team's SLICES columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.config.params import EvaluateParams, GateParams
from mlops.statistics.bootstrap import Comparison, Estimate
from mlops.statistics.metrics import Metric

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MISSING = "(missing)"
SHOWN = 3


@dataclass(frozen=True)
class Scored:
    """The held-out rows with what was scored on them; arrays are (rows,)."""

    frame: "DataFrame"
    target: np.ndarray
    cluster: np.ndarray | None
    candidate: np.ndarray
    champion: np.ndarray | None


@dataclass(frozen=True)
class _Slice:
    column: str
    value: str
    rows: np.ndarray
    groups: int


def measure(
    scored: Scored,
    columns: tuple[str, ...],
    metrics: list[Metric],
    settings: EvaluateParams,
    gate: GateParams,
) -> dict[str, Any]:
    """Return what `gate` and `report` say of slices: those compared, and those too small for it.

    The intervals of the differences hold for all slices and metrics at once (Bonferroni), by
    Student's t over the groups of a slice, of which there are few.
    """
    found = {column: list(_large(scored, column, gate)) for column in columns}
    slices = [part for parts in found.values() for part in parts]
    comparisons = max(1, len(slices) * len(metrics))
    return {
        "columns": {column: _extent(scored, column, parts) for column, parts in found.items()},
        "comparisons": comparisons,
        "compared": [_compare(part, scored, metrics, settings, comparisons) for part in slices],
    }


def _large(scored: Scored, column: str, gate: GateParams) -> Iterator[_Slice]:
    """Yield a slice for each value of a column with rows and groups enough, the largest first."""
    values = _values(scored, column)
    counts = values.value_counts()
    for value in counts.index[counts >= gate.slices.min_rows]:
        rows = (values == value).to_numpy()
        groups = int(rows.sum()) if scored.cluster is None else len(set(scored.cluster[rows]))
        if groups >= gate.min_clusters:
            yield _Slice(column, value, rows, groups)


def _extent(scored: Scored, column: str, slices: list[_Slice]) -> dict[str, Any]:
    """Say how many rows the slices of a column hold, and which values are left."""
    counts = _values(scored, column).value_counts()
    small = counts.drop([part.value for part in slices])
    return {
        "values": len(counts),
        "rows": int(counts.sum() - small.sum()),
        "small": {"values": len(small), "largest": list(small.index[:SHOWN])},
    }


def _values(scored: Scored, column: str) -> "Series":
    values = scored.frame[column].astype(object)
    return values.where(values.notna(), MISSING).astype(str)


def _compare(
    part: _Slice,
    scored: Scored,
    metrics: list[Metric],
    settings: EvaluateParams,
    comparisons: int,
) -> dict[str, Any]:
    rows, rival = part.rows, scored.champion
    cluster = None if scored.cluster is None else scored.cluster[rows]
    comparison = Comparison(scored.target[rows], cluster, settings)
    wider = widening(settings.confidence, comparisons, comparison.drawn)
    measured = {}
    for metric in metrics:
        found = comparison.estimates(
            metric, scored.candidate[rows], None if rival is None else rival[rows]
        )
        if "difference" in found:
            found["difference"] = _widened(found["difference"], wider)
        measured[metric.name] = {name: plain(estimate) for name, estimate in found.items()}
    return {
        "column": part.column,
        "value": part.value,
        "rows": int(rows.sum()),
        "groups": part.groups,
        "metrics": measured,
    }


def widening(confidence: float, comparisons: int, groups: int) -> float:
    """Return how many times wider an interval is that holds for all of many comparisons."""
    from scipy.special import stdtrit  # pylint: disable=no-name-in-module  # it is compiled

    outside = (1 - confidence) / 2
    ends = stdtrit(groups - 1, [1 - outside / comparisons, 1 - outside])
    return float(ends[0] / ends[1])


def _widened(estimate: Estimate, times: float) -> Estimate:
    value = estimate.value
    low, high = value + times * (estimate.low - value), value + times * (estimate.high - value)
    return Estimate(value, low, high, estimate.undefined)


def plain(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate as JSON can hold it: what is no number becomes null."""
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    finite = {key: value if abs(value) < float("inf") else None for key, value in values.items()}
    return {**finite, "undefined": estimate.undefined}
