"""The rule about slices: a model that is good on the whole may be worse for a part of the rows."""

from collections.abc import Iterator
from itertools import zip_longest

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, differs, number, signed
from mlops.rules import Finding, Rule

SLICES = Rule(
    "M108", "No slice of the rows is significantly worse than with the champion.", waivable=True
)


def slices(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    """Check that no slice is significantly worse by more than the margin.

    A column that can never be judged is named at the first release already.
    """
    measured, champion = evaluation["slices"], evaluation["champion"]
    if not measured["columns"]:
        yield SLICES.finding("slices", True, "data/__init__.py names no SLICES to compare.")
        return
    alone = champion is None or bool(champion["error"])
    for column, extent in measured["columns"].items():
        compared = [part for part in measured["compared"] if part["column"] == column]
        worse = [p for p in compared if not alone and _exceeded_margins(p, evaluation, gate)]
        for part in worse:
            yield _failed(part, evaluation, gate)
        share = extent["rows"] / evaluation["rows"]
        if not worse and extent.get("required", True) and share < gate.slices.min_share:
            yield _undecided(column, extent, compared, evaluation, gate)
        elif not worse and not alone:
            yield _all_good(column, extent, compared, evaluation, gate)
    if alone:
        message = "There is no champion to compare with; the report shows the slices."
        yield SLICES.finding("slices", True, message)


def _loss(difference: Measured, higher_is_better: bool) -> tuple[float, float] | None:
    """Return the loss against the champion and its lower end; None where it is undefined."""
    if difference["low"] is None or difference["value"] is None:
        return None
    if higher_is_better:
        return -difference["value"], -difference["high"]
    return difference["value"], difference["low"]


def _worst_first(evaluation: Measured, metric: str) -> list[Measured]:
    """Return the slices compared by a metric, the largest loss against the champion first."""
    higher = evaluation["metrics"][metric]["higher_is_better"]
    losses = [
        (loss[0], part)
        for part in evaluation["slices"]["compared"]
        if metric in part["metrics"]
        and (loss := _loss(part["metrics"][metric]["difference"], higher))
    ]
    return [part for _, part in sorted(losses, key=lambda pair: -pair[0])]


def _exceeded_margins(part: Measured, evaluation: Measured, gate: GateParams) -> dict[str, float]:
    """Return the margins, by metric, that a slice significantly exceeds."""
    exceeded = {}
    for name, margin in gate.margins.items():
        measured = part["metrics"].get(name)
        if measured is None:
            continue
        loss = _loss(measured["difference"], evaluation["metrics"][name]["higher_is_better"])
        # A loss within the margin that all rows may have does not fail a slice either.
        if loss and loss[1] > 0 and loss[0] > margin:
            exceeded[name] = margin
    return exceeded


def _failed(part: Measured, evaluation: Measured, gate: GateParams) -> Finding:
    losses = "; ".join(
        f"{name} is {differs(part['metrics'][name]['difference'])}, {number(margin)} is allowed"
        for name, margin in _exceeded_margins(part, evaluation, gate).items()
    )
    message = (
        f"Worse than the model in production for {_name(part)}: {losses}, in {part['rows']:,} "
        f"rows, corrected for {evaluation['slices']['comparisons']} comparisons."
    )
    return SLICES.finding(_name(part), False, message)


def _undecided(
    column: str,
    extent: Measured,
    compared: list[Measured],
    evaluation: Measured,
    gate: GateParams,
) -> Finding:
    few_rows = any(rows < gate.slices.min_rows for rows in extent["small"].get("rows", []))
    keys = f"gate.slices.min_rows ({gate.slices.min_rows})" if few_rows else ""
    few_groups = any(groups < gate.min_clusters for groups in extent["small"].get("groups", []))
    if few_groups and evaluation["cluster"]:
        keys += f"{' and ' if keys else ''}gate.min_clusters ({gate.min_clusters})"
    message = (
        f"{_opening(extent, compared, evaluation)}{_too_small(extent, evaluation, gate)}. At least "
        f"{gate.slices.min_share:.0%} of the rows must be compared (gate.slices.min_share), and no "
        "release of such data will be. Hold out more partitions (data.holdout), name a coarser "
        f"column in SLICES or none, or lower {keys or 'gate.slices.min_rows'}."
    )
    return SLICES.inconclusive(column, message)


def _all_good(
    column: str,
    extent: Measured,
    compared: list[Measured],
    evaluation: Measured,
    gate: GateParams,
) -> Finding:
    message = (
        f"{_opening(extent, compared, evaluation)}, none significantly worse"
        f"{_worst(column, evaluation, gate)}{_too_small(extent, evaluation, gate)}."
    )
    return SLICES.finding(column, True, message)


def _opening(extent: Measured, compared: list[Measured], evaluation: Measured) -> str:
    share = extent["rows"] / evaluation["rows"]
    return f"{len(compared)} of {extent['values']} values compared, {share:.1%} of the rows"


def _too_small(extent: Measured, evaluation: Measured, gate: GateParams) -> str:
    """Name the largest values that are too small to compare, with what they have too few of."""
    small = extent["small"]
    sizes = zip(small.get("rows", []), small.get("groups", []))
    few = [
        (
            f" ({rows:,} rows)"
            if rows < gate.slices.min_rows
            else f" ({groups:,} groups of {evaluation['cluster'] or 'rows'})"
        )
        for rows, groups in sizes
    ]
    named = [f"{value}{size}" for value, size in zip_longest(small["largest"], few, fillvalue="")]
    more = small["values"] - len(named)
    listed = ", ".join([*named, *([f"{more} more"] if more else [])])
    return f"; too small to compare: {listed}" if listed else ""


def _worst(column: str, evaluation: Measured, gate: GateParams) -> str:
    """Name the slice with the largest loss in each metric compared."""
    worst = []
    for name in gate.margins:
        if name in evaluation["metrics"]:
            parts = [p for p in _worst_first(evaluation, name) if p["column"] == column][:1]
            worst += [
                f"{name} {p['value']} {signed(p['metrics'][name]['difference'])}" for p in parts
            ]
    return f" (the worst: {'; '.join(worst)})" if worst else ""


def _name(part: Measured) -> str:
    return f"{part['column']}={part['value']}"
