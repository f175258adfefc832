"""The report as Markdown, for the pull-request comment and the summary of a CI job.

Names and messages are shown literally: none becomes a link, mention, reference, formula or tag.
"""

import re
from decimal import Decimal

from mlops.report.tree import (
    MARKS,
    Bars,
    Code,
    Commands,
    Paragraph,
    Part,
    Piece,
    Plot,
    Report,
    Section,
    Strong,
    Table,
    Text,
    fitting,
    pieces,
    plain,
)
from mlops.rules import Verdict

# GitHub refuses a comment of more than 65,536 characters; the poster may add a few of its own.
LIMIT = 60_000

# Mermaid's default bar colours are hard to see, on white and on black.
PALETTE = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#6f9fd0, #c98526"}}}}%%'

_SPECIAL = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "\\`*~"},
        **{"&": "&amp;", "<": "&lt;", "|": "&#124;", "$": "&#36;"},
    }
)
# GitHub finds these in text that is already rendered, where no escape helps, so an invisible space
# separates them: mentions and mail addresses, issues, links, links without a scheme.
_SEPARATED = re.compile(r"(?<=@)|(?<=#)(?=\d)|(?<=\bgh)(?=-\d)|(?<=:)(?=//)|(?<=www)(?=\.)", re.I)
_INVISIBLE = "&#8203;"
# Special in some positions only, and more readable unescaped elsewhere: an underscore at the edge
# of a word, the character after a link's closing bracket.
_IN_PLACE = re.compile(r"(?<![^\W_])_|_(?![^\W_])|(?<=\])[\[(:]")
# Would turn a paragraph into a list, a heading or a quote.
_OPENING = re.compile(r"^(\d*)(?=[.)#+=>-])")
_SIMPLE_CODE = re.compile(r"[^`|\\\s](?:[^`|\\]*[^`|\\\s])?")


def escape(text: str, width: int) -> str:
    """Return a text as one line of Markdown that shows it literally, in a paragraph or a cell."""
    text = _IN_PLACE.sub(r"\0\g<0>", plain(text, width))
    text = _SEPARATED.sub("\1", text).translate(_SPECIAL)
    return text.replace("\0", "\\").replace("\1", _INVISIBLE)


def code(text: str, width: int) -> str:
    """Return a text in monospace, as one line that shows it literally."""
    shown = plain(text, width)
    if _SIMPLE_CODE.fullmatch(shown):
        return f"`{shown}`"
    # A backtick would end the span, a bar the cell; inside a tag the text is escaped as usual.
    return f"<code>{escape(text, width)}</code>"


def render(report: Report, limit: int = LIMIT) -> str:
    """Return the report as Markdown of at most `limit` characters; cut parts state it."""
    return fitting(lambda rows, width: _Writer(rows, width).report(report), limit)


class _Writer:
    """Renders parts, tables of at most `rows` rows and texts of at most `width` characters."""

    def __init__(self, rows: int, width: int) -> None:
        self._rows, self._width = rows, width

    def report(self, report: Report) -> str:
        """Return the whole report."""
        blocks = [
            f"## {MARKS[report.verdict]} {report.verdict.capitalize()}",
            self._paragraph(report.reason),
            self._paragraph(report.subject),
            *(self._section(section) for section in report.sections),
        ]
        return "\n\n".join(blocks) + "\n"

    def _section(self, section: Section) -> str:
        title = escape(section.title, self._width)
        body = [block for part in section.parts if (block := self._part(part))]
        if section.minor:
            opening = f"<details><summary>{title}</summary>"
            return "\n\n".join([opening, *body, "</details>"])
        return "\n\n".join([f"### {title}", *body])

    def _part(self, part: Part) -> str:
        match part:
            case Paragraph():
                return self._paragraph(part.text)
            case Table():
                return self._table(part.simple or part)
            case Commands():
                return _fenced("sh", part.lines)
            case Plot():
                return chart(part.simple) if part.simple else ""

    def _paragraph(self, text: Text) -> str:
        return _OPENING.sub(r"\1\\", self._text(text).strip())

    def _text(self, text: Text) -> str:
        return "".join(self._piece(piece) for piece in pieces(text))

    def _piece(self, piece: Piece) -> str:
        match piece:
            case Code():
                return code(piece.text, self._width)
            case Strong():
                return f"**{escape(piece.text, self._width)}**"
            case Verdict.PASS:
                return "pass"
            case Verdict():
                return f"**{piece}**"
            case _:
                return escape(piece, self._width)

    def _cell(self, text: Text, number: bool) -> str:
        shown = self._text(text)
        # A narrow column must not break an interval between its ends.
        return shown.replace(", ", ",\N{NO-BREAK SPACE}") if number else shown

    def _table(self, table: Table) -> str:
        rule = ["---:" if n in table.numbers else "---" for n in range(len(table.columns))]
        rows = [
            [self._cell(cell, n in table.numbers) for n, cell in enumerate(row)]
            for row in table.rows[: self._rows]
        ]
        # A column may be headed by a metric's title, which is the team's text.
        columns = [escape(column, self._width) for column in table.columns]
        lines = ["| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows)]
        more = len(table.rows) - len(rows)
        if more:
            lines += ["", f"… and {more:,} more."]
        return "\n".join(lines)


def _fenced(language: str, lines: tuple[str, ...]) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", "\n".join(lines))), default=0))
    return "\n".join([fence + language, *(plain(line, 400) for line in lines), fence])


def chart(bars: Bars) -> str:
    """Return a Mermaid chart, which GitHub draws. No name or message is part of it."""
    values, labels = (*bars.bars, *bars.line), (str(n + 1) for n in range(len(bars.bars)))
    bottom, top = min(0.0, *values), max(0.0, *values)
    lines = [
        PALETTE,
        "xychart-beta",
        f'  title "{bars.title}"',
        f'  x-axis "{bars.across}" [{", ".join(labels)}]',
        f'  y-axis "{bars.upward}" {_decimal(bottom)} --> {_decimal(top if top > bottom else 1.0)}',
        f"  bar [{', '.join(map(_decimal, bars.bars))}]",
    ]
    if bars.line:
        lines.append(f"  line [{', '.join(map(_decimal, bars.line))}]")
    return _fenced("mermaid", tuple(lines))


def _decimal(value: float) -> str:
    # Mermaid reads no exponents.
    return f"{Decimal(f'{value:.4g}'):f}"
