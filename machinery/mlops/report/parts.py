"""The section about the classes, outputs or quantiles of a model, each in a row."""

from collections.abc import Iterator
from typing import Any

from mlops import gate
from mlops.report.subject import Judged
from mlops.report.tree import Code, Paragraph, Part, Section, Table, Text
from mlops.serving.answer import CLASSES, OUTPUTS, QUANTILES

# What the calibration compares, where it isn't mean score and mean outcome.
COMPARED = {
    CLASSES: ("probability of the likeliest class", "share of hits"),
    OUTPUTS: ("mean score, standard deviations", "mean outcome, standard deviations"),
    QUANTILES: ("quantile", "share of outcomes at or below"),
}
SINGULAR = {CLASSES: "class", OUTPUTS: "output", QUANTILES: "quantile"}
# A wider table of confusions does not fit into a comment.
MOST_COLUMNS = 12


def parts(judged: Judged) -> Section | None:
    """Return the figures of each class, output or quantile, and the confusions of classes."""
    measured = judged.evaluation.get("parts")
    if measured is None or "candidate" not in measured:
        return None
    tables: list[Part] = [_figures(measured)]
    if "confusion" in measured:
        tables += _confusion(measured["names"], measured["confusion"])
    return Section(measured["kind"].capitalize(), tuple(tables))


def compared(judged: Judged) -> tuple[str, str]:
    """Return the names of what the calibration compares: of the score, and of the outcome."""
    kind = judged.evaluation.get("parts", {}).get("kind")
    return COMPARED.get(kind, ("mean score", "mean outcome"))


def _figures(measured: dict[str, Any]) -> Table:
    candidate, champion = measured["candidate"], measured.get("champion", {})
    names = [name for name in candidate if name != "rows"]
    counted = ["rows"] if "rows" in candidate else []
    columns = [SINGULAR[measured["kind"]], *counted]
    for name in names:
        columns += [name, *([f"{name}: champion"] if champion else [])]
    rows = [tuple(_row(measured, position, names)) for position in range(len(measured["names"]))]
    return Table(tuple(columns), rows, frozenset(range(1, len(columns))))


def _row(measured: dict[str, Any], position: int, names: list[str]) -> Iterator[Text]:
    candidate, champion = measured["candidate"], measured.get("champion")
    yield Code(measured["names"][position])
    if "rows" in candidate:
        yield f"{candidate['rows'][position]:,}"
    for name in names:
        yield gate.number(candidate[name][position])
        if champion:
            yield gate.number(champion[name][position])


def _confusion(names: list[str], confusion: list[list[int]]) -> list[Part]:
    """Return the table of confusions, or its largest ones where it has too many columns."""
    if len(names) <= MOST_COLUMNS:
        columns = ("actual \\ predicted", *names)
        rows = [
            (Code(name), *(f"{count:,}" for count in counts))
            for name, counts in zip(names, confusion)
        ]
        return [Table(columns, rows, frozenset(range(1, len(columns))))]
    mistakes = sorted(
        (-count, actual, predicted)
        for actual, counts in zip(names, confusion)
        for predicted, count in zip(names, counts)
        if count and actual != predicted
    )[:MOST_COLUMNS]
    rows = [(Code(actual), Code(predicted), f"{-count:,}") for count, actual, predicted in mistakes]
    table = Table(("actual", "predicted", "rows"), rows, frozenset({2}))
    return [Paragraph("The most frequent confusions:"), table] if rows else []
