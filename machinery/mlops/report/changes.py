"""The sections on what differs: from the champion, and between the data."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from mlops.report.subject import Judged, count, short, span
from mlops.report.tree import Code, Paragraph, Part, Piece, Section, Strong, Table, Text, names
from mlops.statistics.drift import LEAST
from mlops.training.provenance import REWRITTEN, Change, Origin, differences, origin

# What the kinds of changes are called when they are counted.
NOUNS = {"parameter": "parameter", "code": "file of code", "version": "version"}
MOST_COLUMNS = 5


def changes(judged: Judged) -> Section | None:
    """Return what differs from the champion in what shapes a model or its verdict."""
    champion, mine = judged.evaluation["champion"], origin(judged.record)
    if champion is None:
        return None
    if champion.get("origin") is None:
        return Section("What changed", (_unreadable(champion),))
    found = differences(champion["origin"], mine, champion["code"])
    parts: list[Part] = [Paragraph(_opening(judged, found)), *_remarks(judged, found)]
    rows = [_row(change) for change in found if change.kind in NOUNS]
    if rows:
        parts.append(Table(("what", "name", "champion", "candidate"), rows))
    return Section("What changed", tuple(parts))


def _unreadable(champion: dict[str, Any]) -> Paragraph:
    known = (*span(champion["trained_on"]), ".")
    opening = "The bundle of the champion ", Code(champion["release_id"]), " cannot be read here"
    return Paragraph((*opening, ", so all that is known of it is that it was trained on ", *known))


def _opening(judged: Judged, found: list[Change]) -> Text:
    """Say in one sentence who the champion is and what differs from it."""
    champion, digest = judged.evaluation["champion"], judged.record["model"]["digest"]
    text: list[Piece] = ["Against the champion ", Code(champion["release_id"]), ": "]
    said = [*_partitions(found), *_counted(found)]
    for number, piece in enumerate(said):
        text += [", " if number else "", *piece]
    if champion["code"] is not None:
        text.append(", nothing else." if said else "nothing that shapes the model differs.")
    else:
        text.append("." if said else "nothing differs in data, parameters and versions.")
    if digest == champion["model_digest"]:
        text.append(" The model is the same, byte for byte.")
    return tuple(text)


def _partitions(found: list[Change]) -> Iterable[tuple[Piece, ...]]:
    changed = [change for change in found if change.kind == "partition"]
    for said in dict.fromkeys(change.after for change in changed):
        which = [change.name for change in changed if change.after == said]
        yield (f"{count(which, 'partition')} {said} (", *names(which), ")")


def _counted(found: list[Change]) -> Iterable[tuple[Piece, ...]]:
    kinds = Counter(change.kind for change in found)
    for kind, noun in NOUNS.items():
        if kinds[kind]:
            yield (count(range(kinds[kind]), noun),)


def _remarks(judged: Judged, found: list[Change]) -> Iterable[Paragraph]:
    """Say what a reviewer must not overlook."""
    champion, digest = judged.evaluation["champion"], judged.record["model"]["digest"]
    rewritten = [change.name for change in found if change.after == REWRITTEN]
    if rewritten:
        yield Paragraph(
            (
                Strong("History was rewritten:"),
                " ",
                *names(rewritten),
                " has other rows now than when the champion was made. Ask why.",
            )
        )
    if champion["code"] is None:
        commit = Code(champion["origin"]["commit"][:7])
        unknown = ", is not in this clone, so changed code is not told. To have it: "
        fetch = Code("git fetch --unshallow")
        yield Paragraph(("The champion's commit, ", commit, unknown, fetch, "."))
    elif not found and digest != champion["model_digest"]:
        two = Code(short(champion["model_digest"])), " then, ", Code(short(digest)), " now."
        yield Paragraph((Strong("Not reproduced:"), " the same gave another model, ", *two))


def _row(change: Change) -> tuple[Text, ...]:
    if change.kind == "code":
        return ("code", Code(change.name), "", change.after or "")
    sides = (change.before, change.after)
    shown = ("unset" if value is None else Code(value) for value in sides)
    return (change.kind, Code(change.name), *shown)


def datasets(judged: Judged) -> Section:
    """Return how many rows there are of which time, and the columns that moved most."""
    record, champion = judged.record["data"], judged.evaluation["champion"]
    theirs: Origin | None = champion and champion.get("origin")
    rows = [("champion trained on", *_extent(theirs["data"]))] if theirs else []
    rows += [("trained on", *_extent(record["train"])), ("held out", *_extent(record["holdout"]))]
    table = Table(("", "partitions", "rows", "from", "to"), rows, frozenset({2}))
    drifted = judged.evaluation.get("drift", [])
    parts = (table, *_moved(drifted[:MOST_COLUMNS]))
    return Section(f"Data{_title(drifted)}", parts, minor=True)


def _title(drifted: Sequence[dict[str, Any]]) -> str:
    """Return the answer, for those who leave the section folded."""
    beyond = [drift for drift in drifted if drift["times"] > 1]
    if not beyond:
        return ": no column moved more than usual" if drifted else ""
    return f": {count(beyond, 'column')} moved more than usual, most of all {beyond[0]['column']}"


def _extent(part: dict[str, Any]) -> tuple[Text, ...]:
    # Days need no midnight.
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
        "Moved: population stability index, held-out rows against those trained on; below "
        f"{LEAST:g} is nothing. Usual: the most that any stretch of training that long differed "
        "from the rest. Far beyond it, the model answers about rows it has not seen the like of."
    )
