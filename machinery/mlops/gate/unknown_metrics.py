"""Metrics that params.yaml names must be measured: a typing error would switch a rule off."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.errors import did_you_mean
from mlops.gate.formatting import Measured
from mlops.rules import Finding, Rule

# The key of the rule that compares with the best constant prediction, which not all metrics have.
CONSTANT_KEY = "beat_constant"


def unknown_metrics(
    rule: Rule, key: str, metrics: dict[str, Measured], gate: GateParams
) -> Iterator[Finding]:
    """Fail a rule for each metric named in its key of `gate:` that it cannot judge."""
    usable = [n for n, m in metrics.items() if key != CONSTANT_KEY or m["constant"] is not None]
    for name in getattr(gate, key):
        if name not in usable:
            why = "has no best constant prediction" if name in metrics else "is not measured"
            message = (
                f"params.yaml: gate.{key} names {name!r}, which {why}."
                f"{did_you_mean(name, usable)} It can name {', '.join(usable) or 'nothing here'}; "
                "METRICS in model/evaluate.py lists the metrics."
            )
            if name in metrics:
                message += " A function of yours has one by its attribute `constant` (gate.md)."
            yield rule.finding(name, False, message)
