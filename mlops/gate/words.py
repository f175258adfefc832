"""How numbers, intervals and differences are told to people."""

from typing import Any

from mlops.rules import CONSTANT, Finding, Rule, find

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


def unknown(rule: Rule, name: str, key: str, metrics: dict[str, Measured]) -> Finding:
    """Return the refusal of a metric that params.yaml names but nobody measured."""
    known = [n for n, m in metrics.items() if rule is not CONSTANT or m["constant"] is not None]
    why = "has no best constant answer" if name in metrics else "was not measured"
    return find(
        rule,
        name,
        False,
        f"params.yaml: {key} names {name!r}, which {why}. "
        f"It can name {', '.join(known) or 'nothing here'}; model/evaluate.py chooses the metrics.",
    )
