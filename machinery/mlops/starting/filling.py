"""Fill a template, in which {{name}} stands for a value; Python is then formatted with black."""

import re
import textwrap
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
WIDTH = 100


def fill(name: str, values: Mapping[str, str]) -> str:
    """Return the text of a template with every placeholder replaced.

    Raises KeyError for a placeholder without a value. Long comments of YAML are wrapped.
    """
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    filled = PLACEHOLDER.sub(lambda match: values[match[1]], text)
    if name.endswith(".py.txt"):
        return _formatted(filled)
    return _wrapped(filled) if name.endswith(".yaml") else filled


def _formatted(code: str) -> str:
    import black

    code = re.sub(r"\n{4,}", "\n\n\n", code)
    return black.format_str(code, mode=black.Mode(line_length=WIDTH))


def _wrapped(text: str) -> str:
    """Return YAML with each comment as one paragraph of lines that are short enough."""
    lines = []
    for mark, group in groupby(text.splitlines(), _comment):
        content = [line.removeprefix(mark) for line in group]
        lines += (
            textwrap.wrap(
                " ".join(content),
                WIDTH,
                initial_indent=mark,
                subsequent_indent=mark,
                break_long_words=False,
                break_on_hyphens=False,
            )
            if mark
            else content
        )
    return "\n".join(lines) + "\n"


def _comment(line: str) -> str:
    """Return the mark of a comment with its indent, "" for any other line."""
    match = re.match(r" *# (?!yaml-)", line)
    return match[0] if match else ""


def block(lines: str, indent: int) -> str:
    """Return lines of code with an indent."""
    return textwrap.indent(lines, " " * indent)
