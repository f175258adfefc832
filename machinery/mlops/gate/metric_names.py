"""What params.yaml names must be measured: a typing error would switch a rule off."""

from collections.abc import Iterator

from mlops.config.params import GateParams
from mlops.errors import did_you_mean
from mlops.gate.formatting import Measured
from mlops.rules import BELIEVABLE, BOUND, CONSTANT, NOT_WORSE, Finding, Rule, find

# The rules that go by names, and the keys below `gate:` that hold them.
NAMING = {BOUND: "bounds", CONSTANT: "beat_constant", NOT_WORSE: "margins", BELIEVABLE: "ceilings"}


def misnamed(rule: Rule, metrics: dict[str, Measured], gate: GateParams) -> Iterator[Finding]:
    """Refuse each metric that a rule is to go by and that is not measured, or has no constant."""
    key = NAMING[rule]
    known = [n for n, m in metrics.items() if rule is not CONSTANT or m["constant"] is not None]
    for name in getattr(gate, key):
        if name not in known:
            why = "has no best constant answer" if name in metrics else "is not measured"
            message = (
                f"params.yaml: gate.{key} names {name!r}, which {why}.{did_you_mean(name, known)} "
                f"It can name {', '.join(known) or 'nothing here'}; METRICS in model/evaluate.py "
                "chooses them."
            )
            yield find(rule, name, False, message)
