"""The section about slices: the worst ones, and the largest losses against the champion."""

from typing import Any

from mlops import gate
from mlops.report.subject import Judged
from mlops.report.tree import Code, Paragraph, Section, Table, Text

SHOWN = 5


def slices(judged: Judged) -> Section | None:
    """Return the slices that lost most against the champion or, without one, score worst."""
    measured = judged.evaluation["slices"]
    names = [name for name in judged.gate.margins if _is_measured(name, measured)]
    if not names:
        return None
    against = judged.champion is not None
    order = sorted(measured["compared"], key=lambda part: -_badness(part, names, judged))
    titles = [judged.evaluation["metrics"][name]["title"] for name in names]
    columns = ["slice", "rows", *titles, *(f"{title}: difference" for title in titles if against)]
    rows = [tuple(_row(part, names, against)) for part in order[:SHOWN]]
    table = Table(tuple(columns), rows, frozenset(range(1, len(columns))))
    return Section("Worst slices", (table, Paragraph(_caption(measured, len(rows), against))))


def _is_measured(name: str, measured: dict[str, Any]) -> bool:
    return any(name in part["metrics"] for part in measured["compared"])


def _badness(part: dict[str, Any], names: list[str], judged: Judged) -> float:
    """Return how much worse a slice is, in margins of the metric in which it is worst."""
    key = "candidate" if judged.champion is None else "difference"
    badness = [float("-inf")]
    # Without a champion one metric decides: the values of different metrics are not comparable.
    for name in names if judged.champion else names[-1:]:
        if name not in part["metrics"]:
            continue
        value, margin = part["metrics"][name][key]["value"], judged.gate.margins[name]
        if value is not None:
            sign = -1 if judged.evaluation["metrics"][name]["higher_is_better"] else 1
            badness.append(sign * value / (margin or 1e-9))
    return max(badness)


def _row(part: dict[str, Any], names: list[str], against: bool) -> list[Text]:
    row: list[Text] = [Code(f"{part['column']}={part['value']}"), f"{part['rows']:,}"]
    measured = [part["metrics"].get(name) for name in names]
    row += [gate.interval(metric["candidate"]) if metric else "" for metric in measured]
    if against:
        row += [gate.signed(metric["difference"]) if metric else "" for metric in measured]
    return row


def _caption(measured: dict[str, Any], shown: int, against: bool) -> str:
    small = sum(extent["small"]["values"] for extent in measured["columns"].values())
    count = len(measured["compared"])
    text = f"The worst {shown} of {count} slices; {small} more are too small to compare."
    if against:
        times = measured["comparisons"]
        text += f" Intervals of the differences hold for all {times} comparisons at once."
    return text
