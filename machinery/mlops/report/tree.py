"""A report as a tree of a few kinds of parts. Its text is plain; renderers escape it."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlops.rules import Verdict


@dataclass(frozen=True)
class Code:
    """A name, path or digest, shown literally in monospace."""

    text: str


@dataclass(frozen=True)
class Strong:
    """A phrase of the report itself in bold type."""

    text: str


Piece = str | Code | Strong | Verdict
# The text of a cell or a paragraph: one piece, or several side by side.
Text = Piece | tuple[Piece, ...]


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: Text


@dataclass(frozen=True)
class Table:
    """Rows below headings; the columns in `numbers` hold figures and are right-aligned.

    `simple` is the table that replaces it where space is short.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Text, ...]]
    numbers: frozenset[int] = frozenset()
    simple: "Table | None" = None


@dataclass(frozen=True)
class Commands:
    """Lines to type into a shell."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Bars:
    """The data of a small chart: bars side by side and, optionally, a line over them."""

    title: str
    across: str
    upward: str
    bars: tuple[float, ...]
    line: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plot:
    """A picture by its name; `simple` is the chart that replaces it where there are no pictures."""

    name: str
    caption: str
    simple: Bars | None = None


Part = Paragraph | Table | Commands | Plot


@dataclass(frozen=True)
class Section:
    """Parts under a title; a minor section is collapsed where space is short."""

    title: str
    parts: tuple[Part, ...]
    minor: bool = False


@dataclass(frozen=True)
class Report:
    """The verdict, its reason, its subject, and the sections with the evidence."""

    name: str
    verdict: Verdict
    reason: str
    subject: Text
    sections: tuple[Section, ...] = field(default_factory=tuple)


UNKNOWN = "\N{REPLACEMENT CHARACTER}"
# Used in the heading only.
MARKS = {Verdict.PASS: "✓", Verdict.INCONCLUSIVE: "?", Verdict.FAIL: "✗"}


def pieces(text: Text) -> tuple[Piece, ...]:
    """Return the pieces of a text."""
    return text if isinstance(text, tuple) else (text,)


def names(values: Iterable[str], most: int = 3) -> tuple[Piece, ...]:
    """Return names separated by commas: all of them, or the first and the number of the others."""
    values = list(values)
    shown = values if len(values) <= most else values[: most - 1]
    listed = [piece for name in shown for piece in (", ", Code(name))][1:]
    more = len(values) - len(shown)
    return (*listed, f" and {more:,} more") if more else tuple(listed) or ("none",)


def plain(text: str, width: int) -> str:
    """Return text on one line, without invisible characters, cut to `width`, the rest counted.

    Control and format characters are replaced: they could hide or reverse what a reviewer reads.
    """
    line = re.sub(r"\s+", " ", text)
    shown = "".join(letter if letter.isprintable() else UNKNOWN for letter in line[:width])
    more = len(line) - width
    return f"{shown}… ({more:,} letters more)" if more > 0 else shown


def fitting(render: Callable[[int, int], str], limit: int) -> str:
    """Return the fullest rendering within `limit` letters; `render` takes most rows, most width."""
    text = ""
    for rows, width in ((100, 600), (40, 300), (12, 100), (3, 40)):
        text = render(rows, width)
        if len(text) <= limit:
            break
    return text
