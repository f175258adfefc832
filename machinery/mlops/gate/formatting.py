"""Numbers, intervals and differences as people read them."""

from typing import Any

Measured = dict[str, Any]


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
    moved = f"{number(abs(value))} {way}"
    if low <= 0 <= high:
        return f"{moved} ({low:+.4f} to {high:+.4f})"
    least, most = sorted((abs(low), abs(high)))
    return f"{moved} ({number(least)} to {number(most)})"


def titled(measured: Measured) -> str:
    """Return a metric's title with a capital letter."""
    title = measured["title"]
    return f"{title[:1].upper()}{title[1:]}"
