"""The sections on differences: from the champion, and between training and held-out rows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from mlops.report.subject import Judged, count, short, span
from mlops.report.tree import Code, Paragraph, Part, Piece, Section, Strong, Table, Text, names
from mlops.statistics.drift import LEAST
from mlops.training.provenance import REWRITTEN, Difference, Origin, differences, origin

# The noun for each kind of difference that is counted.
NOUNS = {"parameter": "parameter", "code": "code file", "version": "version"}
MOST_COLUMNS = 5


def changes(judged: Judged) -> Section | None:
    """Return the differences from the champion in what determines a model or its verdict."""
    champion, candidate = judged.evaluation["champion"], origin(judged.record)
    if champion is None:
        return None
    if champion.get("origin") is None:
        return Section("What changed", (_unreadable(champion),))
    changed = differences(champion["origin"], candidate, champion["code"])
    parts: list[Part] = [Paragraph(_opening(judged, changed)), *_remarks(judged, changed)]
    rows = [_row(change) for change in changed if change.kind in NOUNS]
    if rows:
        parts.append(Table(("what", "name", "champion", "candidate"), rows))
    return Section("What changed", tuple(parts))


def _unreadable(champion: dict[str, Any]) -> Paragraph:
    opening = "The bundle of the champion ", Code(champion["release_id"]), " cannot be read here"
    partitions = (*span(champion["trained_on"]), ".")
    return Paragraph((*opening, "; only its training partitions are known: ", *partitions))


def _opening(judged: Judged, changed: list[Difference]) -> Text:
    """Return one sentence that names the champion and counts the differences from it."""
    champion, digest = judged.evaluation["champion"], judged.record["model"]["digest"]
    text: list[Piece] = ["Against the champion ", Code(champion["release_id"]), ": "]
    counts = [*_partitions(changed), *_counted(changed)]
    for number, piece in enumerate(counts):
        text += [", " if number else "", *piece]
    if champion["code"] is not None:
        text.append(", nothing else." if counts else "nothing that determines the model differs.")
    else:
        text.append("." if counts else "nothing differs in data, parameters and versions.")
    if digest == champion["model_digest"]:
        text.append(" The model is the same, byte for byte.")
    return tuple(text)


def _partitions(changed: list[Difference]) -> Iterable[tuple[Piece, ...]]:
    partitions = [change for change in changed if change.kind == "partition"]
    for action in dict.fromkeys(change.after for change in partitions):
        of_action = [change.name for change in partitions if change.after == action]
        yield (f"{count(of_action, 'partition')} {action} (", *names(of_action), ")")


def _counted(changed: list[Difference]) -> Iterable[tuple[Piece, ...]]:
    kinds = Counter(change.kind for change in changed)
    for kind, noun in NOUNS.items():
        if kinds[kind]:
            yield (count(range(kinds[kind]), noun),)


def _remarks(judged: Judged, changed: list[Difference]) -> Iterable[Paragraph]:
    """Yield the warnings that a reviewer must not overlook."""
    champion, digest = judged.evaluation["champion"], judged.record["model"]["digest"]
    rewritten = [change.name for change in changed if change.after == REWRITTEN]
    if rewritten:
        yield Paragraph(
            (
                Strong("History was rewritten:"),
                " ",
                *names(rewritten),
                " has other rows now than at the champion's training. Ask why.",
            )
        )
    if champion["code"] is None:
        commit = Code(champion["origin"]["commit"][:7])
        unknown = ", is not in this clone, so changes of code are not listed. Fetch it: "
        fetch = Code("git fetch --unshallow")
        yield Paragraph(("The champion's commit, ", commit, unknown, fetch, "."))
    elif not changed and digest != champion["model_digest"]:
        two = Code(short(champion["model_digest"])), " then, ", Code(short(digest)), " now."
        yield Paragraph((Strong("Not reproduced:"), " the same inputs gave another model, ", *two))


def _row(change: Difference) -> tuple[Text, ...]:
    if change.kind == "code":
        return ("code", Code(change.name), "", change.after or "")
    sides = (change.before, change.after)
    shown = ("unset" if value is None else Code(value) for value in sides)
    return (change.kind, Code(change.name), *shown)


def datasets(judged: Judged) -> Section:
    """Return the size and period of the data, and the columns that moved most."""
    record, champion = judged.record["data"], judged.evaluation["champion"]
    champion_origin: Origin | None = champion and champion.get("origin")
    rows = [("champion trained on", *_extent(champion_origin["data"]))] if champion_origin else []
    rows += [("trained on", *_extent(record["train"])), ("held out", *_extent(record["holdout"]))]
    table = Table(("", "partitions", "rows", "from", "to"), rows, frozenset({2}))
    drifted = judged.evaluation.get("drift", [])
    parts = (table, *_moved(drifted[:MOST_COLUMNS]))
    return Section(f"Data{_title(drifted)}", parts, minor=True)


def _title(drifted: Sequence[dict[str, Any]]) -> str:
    """Return the conclusion, for readers who leave the section collapsed."""
    beyond = [drift for drift in drifted if drift["times"] > 1]
    if not beyond:
        return ": no column moved more than usual" if drifted else ""
    return f": {count(beyond, 'column')} moved more than usual, most of all {beyond[0]['column']}"


def _extent(part: dict[str, Any]) -> tuple[Text, ...]:
    # A day is clear without its midnight.
    first, last = (part[key].removesuffix("T00:00:00") for key in ("first", "last"))
    return span(part["partitions"]), f"{part['rows']:,}", first, last


def _moved(drifted: Sequence[dict[str, Any]]) -> Iterable[Part]:
    if not drifted:
        return
    columns = ("column", "moved", "usual", "where most", "share trained on", "share held out")
    rows = [
        (
            Code(drift["column"]),
            f"{drift['index']:.3f}",
            f"{drift['usual']:.3f}",
            drift["bin"],
            f"{drift['expected']:.1%}",
            f"{drift['found']:.1%}",
        )
        for drift in drifted
    ]
    yield Table(columns, rows, frozenset({1, 2, 4, 5}))
    yield Paragraph(
        "Moved: population stability index of the held-out rows against the training rows; below "
        f"{LEAST:g} is noise. Usual: the largest index between a stretch of training rows of that "
        "length and the rest. Far above it, the model predicts for rows unlike those it learnt "
        "from."
    )
