"""The report as one self-contained HTML page that loads nothing and runs no script."""

import html
import re
from pathlib import Path

from mlops.report.plots import Picture
from mlops.report.tree import (
    MARKS,
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
    pieces,
    plain,
)
from mlops.rules import Verdict

CSS = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
ROWS, WIDTH, WHOLE = 1000, 2000, 20

# The security policy holds whatever the record contains: no script runs, nothing is loaded.
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{css}</style>
<main>
<header class="{verdict}">
<p class="kind">Report on a candidate model</p>
<h1>{mark} {heading}</h1>
<p class="reason">{reason}</p>
<p>{subject}</p>
</header>
{sections}
</main>
</html>
"""


def escape(text: str) -> str:
    """Return a text as HTML that shows it literally, on one line."""
    return html.escape(plain(text, WIDTH))


def render(report: Report, pictures: dict[str, list[Picture]]) -> str:
    """Return the page; `pictures` holds the drawings of each plot by its name."""
    return PAGE.format(
        title=f"{report.verdict.capitalize()}: {escape(report.name)}",
        css=CSS,
        verdict=report.verdict,
        mark=MARKS[report.verdict],
        heading=report.verdict.capitalize(),
        reason=_text(report.reason),
        subject=_text(report.subject),
        sections="\n".join(_section(section, pictures) for section in report.sections),
    )


def _section(section: Section, pictures: dict[str, list[Picture]]) -> str:
    title = f"<h2>{escape(section.title)}</h2>"
    body = "\n".join(_part(part, pictures) for part in section.parts)
    if section.minor and not any(isinstance(part, Plot) for part in section.parts):
        return f"<details><summary>{title}</summary>\n{body}\n</details>"
    return f"<section>\n{title}\n{body}\n</section>"


def _part(part: Part, pictures: dict[str, list[Picture]]) -> str:
    match part:
        case Paragraph():
            return f"<p>{_text(part.text)}</p>"
        case Table():
            return _table(part)
        case Commands():
            return "<pre>" + "\n".join(map(escape, part.lines)) + "</pre>"
        case Plot():
            return _figure(part, pictures.get(part.name, []))


def _text(text: Text) -> str:
    return "".join(map(_piece, pieces(text)))


def _piece(piece: Piece) -> str:
    match piece:
        case Code():
            # A name stays on one line; only a text as long as a digest may wrap.
            whole = ' class="whole"' if len(piece.text) <= WHOLE else ""
            return f"<code{whole}>{escape(piece.text)}</code>"
        case Strong():
            return f"<b>{escape(piece.text)}</b>"
        case Verdict():
            return f'<b class="{piece}">{piece}</b>'
        case _:
            # In a narrow column an interval moves below its value as a whole.
            text = re.sub(r"(\[[^\s\],]+,) (?=[^\s\]]+\])", "\\1\N{NO-BREAK SPACE}", escape(piece))
            # A minus sign is as wide as a plus sign: columns of differences stay aligned.
            return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def _table(table: Table) -> str:
    kinds = [' class="number"' if n in table.numbers else "" for n in range(len(table.columns))]
    # A column may be headed by a metric's title, which is the team's text.
    columns = [escape(column) for column in table.columns]
    heads = "".join(f"<th{kind}>{name}</th>" for name, kind in zip(columns, kinds))
    lines = [f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"]
    for row in table.rows[:ROWS]:
        cells = zip(columns, kinds, row)
        # Each cell carries the name of its column: on a phone a row becomes a list.
        filled = (f'<td{kind} data-name="{name}">{_text(cell)}</td>' for name, kind, cell in cells)
        lines.append(f"<tr>{''.join(filled)}</tr>")
    lines.append("</tbody>\n</table>")
    more = len(table.rows) - ROWS
    if more > 0:
        lines.append(f"<p>… and {more:,} more.</p>")
    return "\n".join(lines)


def _figure(plot: Plot, pictures: list[Picture]) -> str:
    if not pictures:
        return ""
    rows = "\n".join(map(_picture, pictures))
    caption = f"<figcaption>{escape(plot.caption)}</figcaption>"
    return f'<figure id="{plot.name}">\n{rows}\n{caption}\n</figure>'


def _picture(picture: Picture) -> str:
    drawings = "\n".join(picture.drawings)
    if not picture.title:
        return drawings
    verdict = f"<br>{_piece(picture.verdict)}" if picture.verdict else ""
    text = f"<p><b>{escape(picture.title)}</b><br>{escape(picture.note)}{verdict}</p>"
    return f'<div class="row">\n{text}\n{drawings}\n</div>'
