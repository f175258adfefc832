"""The report in a few plain lines, for the terminal of a laptop."""

from mlops.report.changes import changes
from mlops.report.comparison import metrics
from mlops.report.subject import Judged
from mlops.report.tree import Code, Paragraph, Strong, Table, Text, pieces, plain

# The columns that show the comparison; the others are in the report.
COLUMNS = ("metric", "candidate", "champion", "difference", "margin")
ROWS, WIDTH = 12, 160


def lines(judged: Judged) -> list[str]:
    """Return the metrics and the changes; `gate` prints the reason for the verdict."""
    table = next(part for part in metrics(judged).parts if isinstance(part, Table))
    changed = changes(judged)
    opening = changed.parts[0] if changed else None
    return [*_table(table), *([_text(opening.text)] if isinstance(opening, Paragraph) else [])]


def _text(text: Text) -> str:
    texts = (part.text if isinstance(part, Code | Strong) else str(part) for part in pieces(text))
    return plain("".join(texts), WIDTH)


def _table(table: Table) -> list[str]:
    columns = [n for n, name in enumerate(table.columns) if name in COLUMNS]
    rows = [table.columns, *([_text(cell) for cell in row] for row in table.rows[:ROWS])]
    cells = [[row[n] for n in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
