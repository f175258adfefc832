"""The sections with a candidate's metrics and their comparison with the champion's."""

from collections.abc import Iterator
from typing import Any

from mlops import gate
from mlops.gate.leakage import TITLES
from mlops.report.parts import compared
from mlops.report.subject import Judged
from mlops.report.tree import Bars, Code, Paragraph, Part, Piece, Plot, Section, Table, Text


def metrics(judged: Judged) -> Section:
    """Return the metrics of candidate and champion, with intervals."""
    columns = ["metric", "better", "candidate", "best constant"]
    caption = "Metrics with intervals, oriented so that right is better; dashed: a limit."
    if judged.champion:
        columns[3:3] = ["champion", "difference", "margin"]
        caption += " Beside them the differences: no interval may exceed its margin."
    rows = [tuple(_metric(judged, name, measured)) for name, measured in judged.metrics]
    table = Table(tuple(columns), rows, frozenset(range(2, len(columns))))
    return Section("Metrics", (table, Paragraph(_how_measured(judged)), Plot("metrics", caption)))


def _metric(judged: Judged, name: str, measured: dict[str, Any]) -> Iterator[Text]:
    yield measured["title"]
    yield "higher" if measured["higher_is_better"] else "lower"
    yield gate.interval(measured["candidate"])
    if judged.champion:
        yield gate.interval(measured["champion"])
        yield _difference(measured["difference"])
        yield _number(judged.gate.margins.get(name))
    yield _number(measured["constant"])


def _number(value: float | None) -> str:
    return "" if value is None else gate.number(value)


def _difference(estimate: dict[str, Any]) -> str:
    return gate.number(estimate["value"]) if estimate["low"] is None else gate.signed(estimate)


def _how_measured(judged: Judged) -> Text:
    """Explain the brackets, the difference, the margin and the constant."""
    evaluation = judged.evaluation
    cluster, percent = evaluation["cluster"], 100 * evaluation["confidence"]
    text = [f"In brackets: {percent:g} % intervals by a bootstrap over "]
    text += [f"{evaluation['groups']:,} groups of ", Code(cluster)] if cluster else ["rows"]
    text.append(f" ({evaluation['replicates']:,} replicates).")
    if judged.champion:
        text.append(" Difference: candidate minus champion, on the same rows in every replicate.")
        text.append(" Margin: the largest loss allowed; empty where the metric is not judged.")
    text.append(" Best constant: the score of the best prediction that is the same for every row.")
    for name, measured in judged.metrics:
        share = max(part["undefined"] for part in measured.values() if isinstance(part, dict))
        if share:
            text += [" ", Code(name), f" had no value in {share:.2%} of the replicates."]
    text += _strongest(evaluation["features"])
    return tuple(text)


def _strongest(features: dict[str, Any]) -> list[Piece]:
    """Name the feature that predicts best by itself: a leak would be it."""
    strength = {name: value for name, value in features["strength"].items() if value is not None}
    if not strength:
        return []
    name = max(strength, key=strength.get)
    value = f" with {TITLES[features['measure']]} {gate.number(strength[name])}."
    return [" Strongest feature by itself: ", Code(name), value]


def curves(judged: Judged) -> Section | None:
    """Return the calibration and the distribution of the scores."""
    drawn = judged.evaluation["curves"]["candidate"]
    if not drawn["calibration"]:
        return None
    calibration = _calibration(drawn["calibration"], *compared(judged))
    parts: list[Part] = [calibration, _scores(drawn["histogram"])]
    if drawn["unplotted"]:
        parts.append(Paragraph(f"{drawn['unplotted']:,} scores are not numbers and are not drawn."))
    return Section("Calibration and scores", tuple(parts), minor=True)


def _calibration(tenths: list[dict[str, Any]], score: str, outcome: str) -> Plot:
    simple = Bars(
        title=f"Calibration of the candidate: {outcome} (bars), {score} (line)",
        across="tenths of the rows, by score",
        upward="mean",
        bars=tuple(tenth["target"] for tenth in tenths),
        line=tuple(tenth["score"] for tenth in tenths),
    )
    caption = f"{outcome.capitalize()} against {score}."
    return Plot("calibration", caption, simple)


def _scores(histogram: dict[str, Any]) -> Plot:
    rows, edges = histogram["rows"], histogram["edges"]
    simple = Bars(
        title="Scores of the candidate",
        across=f"{len(rows)} equal steps of score, {_number(edges[0])} to {_number(edges[-1])}",
        upward="rows",
        bars=tuple(float(count) for count in rows),
    )
    return Plot("scores", "The distribution of the scores over the held-out rows.", simple)
