"""The rule about slices: what is good on the whole may have become bad for a part of the rows."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.gate.formatting import Measured, differs, number, signed
from mlops.rules import SLICES, Finding, Verdict, find


def slices(evaluation: Measured, gate: GateParams) -> Iterator[Finding]:
    """Find the slices that are significantly worse by more than the margin."""
    measured = evaluation["slices"]
    if not measured["columns"]:
        yield find(SLICES, "slices", True, "The data name no SLICES to look into.")
        return
    if evaluation["champion"] is None or evaluation["champion"]["error"]:
        message = "There is no champion to compare with; the report shows the slices."
        yield find(SLICES, "slices", True, message)
        return
    for column, extent in measured["columns"].items():
        compared = [part for part in measured["compared"] if part["column"] == column]
        bad = [part for part in compared if _worse(part, evaluation, gate)]
        for part in bad:
            yield _refused(part, evaluation, gate)
        if not bad:
            yield _all_good(column, extent, compared, evaluation, gate)


def _loss(difference: Measured, higher_is_better: bool) -> tuple[float, float] | None:
    """Return by how much something is worse, and at least; None where it is no number."""
    if difference["low"] is None or difference["value"] is None:
        return None
    if higher_is_better:
        return -difference["value"], -difference["high"]
    return difference["value"], difference["low"]


def _worst_first(evaluation: Measured, metric: str) -> list[Measured]:
    """Return the slices compared in a metric, that first which lost most against the champion."""
    higher = evaluation["metrics"][metric]["higher_is_better"]
    lost = [
        (found[0], part)
        for part in evaluation["slices"]["compared"]
        if metric in part["metrics"]
        and (found := _loss(part["metrics"][metric]["difference"], higher))
    ]
    return [part for _, part in sorted(lost, key=lambda pair: -pair[0])]


def _worse(part: Measured, evaluation: Measured, gate: GateParams) -> dict[str, float]:
    """Return the margins a slice loses more than, significantly, by metric."""
    found = {}
    for name, margin in gate.margins.items():
        measured = part["metrics"].get(name)
        if measured is None:
            continue
        worse = _loss(measured["difference"], evaluation["metrics"][name]["higher_is_better"])
        # A loss as small as is allowed on the whole is no reason to refuse a part.
        if worse and worse[1] > 0 and worse[0] > margin:
            found[name] = margin
    return found


def _refused(part: Measured, evaluation: Measured, gate: GateParams) -> Finding:
    told = "; ".join(
        f"{name} is {differs(part['metrics'][name]['difference'])}, {number(margin)} is allowed"
        for name, margin in _worse(part, evaluation, gate).items()
    )
    message = (
        f"Worse than the model in production for {_name(part)}: {told}, in {part['rows']:,} rows, "
        f"even corrected for {evaluation['slices']['comparisons']} comparisons."
    )
    return find(SLICES, _name(part), False, message)


def _all_good(
    column: str,
    extent: Measured,
    compared: list[Measured],
    evaluation: Measured,
    gate: GateParams,
) -> Finding:
    share, small = extent["rows"] / evaluation["rows"], extent["small"]
    told = f"{len(compared)} of {extent['values']} values compared, {share:.1%} of the rows"
    more = small["values"] - len(small["largest"])
    listed = ", ".join([*small["largest"], *([f"{more} more"] if more else [])])
    untold = f"; too few rows to tell: {listed}" if listed else ""
    if share < gate.slices.min_share:
        message = (
            f"{told}{untold}. At least {gate.slices.min_share:.0%} of the rows are to be compared "
            "(gate.slices.min_share). Hold out more partitions (data.holdout), or name a coarser "
            "column in SLICES."
        )
        return Finding(SLICES.id, column, Verdict.INCONCLUSIVE, message)
    message = f"{told}, none significantly worse{_worst(column, evaluation, gate)}{untold}."
    return find(SLICES, column, True, message)


def _worst(column: str, evaluation: Measured, gate: GateParams) -> str:
    """Name the slice that lost most in each metric compared."""
    told = []
    for name in gate.margins:
        if name in evaluation["metrics"]:
            worst = [p for p in _worst_first(evaluation, name) if p["column"] == column][:1]
            told += [
                f"{name} {p['value']} {signed(p['metrics'][name]['difference'])}" for p in worst
            ]
    return f" (the worst: {'; '.join(told)})" if told else ""


def _name(part: Measured) -> str:
    return f"{part['column']}={part['value']}"
