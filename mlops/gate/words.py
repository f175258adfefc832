"""How numbers, intervals and differences are told to people."""

from typing import Any

Measured = dict[str, Any]


def number(value: float | None) -> str:
    """Return a metric's value as people read it."""
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
