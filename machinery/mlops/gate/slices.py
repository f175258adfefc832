"""The rule about slices: a model that is good on the whole may be worse for a part of the rows."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, differs, number, signed
from mlops.rules import Finding, Rule

SLICES = Rule(
    "M108", "No slice of the rows is significantly worse than with the champion.", waivable=True
)


def slices(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    """Check that no slice is significantly worse by more than the margin."""
    measured = evaluation["slices"]
    if not measured["columns"]:
        yield SLICES.finding("slices", True, "data/__init__.py names no SLICES to compare.")
        return
    if evaluation["champion"] is None or evaluation["champion"]["error"]:
        message = "There is no champion to compare with; the report shows the slices."
        yield SLICES.finding("slices", True, message)
        return
    for column, extent in measured["columns"].items():
        compared = [part for part in measured["compared"] if part["column"] == column]
        worse = [part for part in compared if _exceeded_margins(part, evaluation, gate)]
        for part in worse:
            yield _failed(part, evaluation, gate)
        if not worse:
            yield _all_good(column, extent, compared, evaluation, gate)


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


def _all_good(
    column: str,
    extent: Measured,
    compared: list[Measured],
    evaluation: Measured,
    gate: GateParams,
) -> Finding:
    share, small = extent["rows"] / evaluation["rows"], extent["small"]
    opening = f"{len(compared)} of {extent['values']} values compared, {share:.1%} of the rows"
    more = small["values"] - len(small["largest"])
    listed = ", ".join([*small["largest"], *([f"{more} more"] if more else [])])
    too_small = f"; too few rows to compare: {listed}" if listed else ""
    if extent.get("required", True) and share < gate.slices.min_share:
        message = (
            f"{opening}{too_small}. At least {gate.slices.min_share:.0%} of the rows must be "
            "compared (gate.slices.min_share). Hold out more partitions (data.holdout), or name a "
            "coarser column in SLICES."
        )
        return SLICES.inconclusive(column, message)
    message = f"{opening}, none significantly worse{_worst(column, evaluation, gate)}{too_small}."
    return SLICES.finding(column, True, message)


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
