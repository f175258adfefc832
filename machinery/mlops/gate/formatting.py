"""Numbers, intervals and differences as people read them."""

from collections.abc import Mapping
from datetime import date
from math import inf
from typing import Any

Measured = dict[str, Any]
# Whatever else a column holds may be somebody's name.
NO_TEXT = (int, float, date, type(None))


def number(value: float | None) -> str:
    """Return a metric's value to four digits."""
    return "no number" if value is None else f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"


def interval(estimate: Measured) -> str:
    """Return an estimate with its interval in brackets."""
    if estimate["low"] is None:
        return number(estimate["value"])
    return f"{number(estimate['value'])} [{number(estimate['low'])}, {number(estimate['high'])}]"


def signed(estimate: Measured) -> str:
    """Return a difference with its sign and interval."""
    value, low, high = (
        "no number" if estimate[key] is None else f"{estimate[key]:+.4f}"
        for key in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"


def differs(estimate: Measured) -> str:
    """Return a difference in words with its interval, which is signed only where it includes 0."""
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    way = "higher" if value > 0 else "lower"
    if value == low == high == 0:
        return "the same"
    if number(abs(value)) == number(0.0):
        return f"the same on average ({low:+.4f} to {high:+.4f})"
    moved = f"{number(abs(value))} {way}"
    if low <= 0 <= high:
        return f"{moved} ({low:+.4f} to {high:+.4f})"
    least, most = sorted((abs(low), abs(high)))
    return f"{moved} ({number(least)} to {number(most)})"


def titled(measured: Measured) -> str:
    """Return a metric's title with a capital letter."""
    title = measured["title"]
    return f"{title[:1].upper()}{title[1:]}"


def examples(rows: Mapping[Any, int], min_rows: float, most: int = 3) -> str:
    """Return the most frequent of some values, from the rows that have each, as a message may.

    A text in fewer rows than `min_rows` (params.yaml: privacy; infinite for a free text) is
    described, not quoted.
    """
    texts = [value for value in rows if not isinstance(value, NO_TEXT)]
    shown = [value for value in rows if isinstance(value, NO_TEXT) or rows[value] >= min_rows]
    if shown:
        return ", ".join(map(repr, sorted(shown, key=lambda value: -rows[value])[:most]))
    lengths = sorted(len(str(value)) for value in texts)
    span = f"{lengths[0]}" if lengths[0] == lengths[-1] else f"{lengths[0]} to {lengths[-1]}"
    why = f"each in fewer than {min_rows} rows, privacy.min_rows" if min_rows < inf else "TEXT"
    return f"text of {span} characters ({why})"
