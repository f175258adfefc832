"""The gate: judges a record and the check of its data by the rules; reads no file.

One file a family of rules. Each rule returns its findings, passes too.
"""

from collections.abc import Iterator
from typing import Any

from mlops.config.params import GateParams
from mlops.gate import catalogue, waivers
from mlops.gate.champion import NOT_WORSE, against_champion
from mlops.gate.data import data_checked, held_out
from mlops.gate.formatting import examples, interval, number, signed
from mlops.gate.leakage import BELIEVABLE, believable, leaking
from mlops.gate.metrics import BOUND, CONSTANT, bounds, calibrated, constant, enough, finite
from mlops.gate.slices import slices
from mlops.gate.training import NO_PICKLE, budgets, no_pickle, same_twice
from mlops.gate.unknown_metrics import CONSTANT_KEY, unknown_metrics
from mlops.rules import Finding, Verdict
from mlops.training.record import Record

__all__ = [
    *("NO_PICKLE", "examples", "interval", "judge", "number", "signed", "summary"),
    "unknown_metrics",
]

RULES = (*catalogue.RULES, *waivers.RULES)
SENTENCES = {rule.id: rule.sentence for rule in RULES}
# The rules that judge the metrics named in params.yaml, and their keys below `gate:`.
METRIC_KEYS = {
    BOUND: "bounds",
    CONSTANT: CONSTANT_KEY,
    NOT_WORSE: "margins",
    BELIEVABLE: "ceilings",
}


def judge(record: Record, data_check: dict[str, Any] | None, gate: GateParams) -> list[Finding]:
    """Return the findings of every rule about an evaluated record."""
    evaluation = record["evaluation"]
    metrics = evaluation["metrics"]
    return [
        *data_checked(record, data_check),
        *held_out(record, evaluation["champion"]),
        *finite(metrics),
        *bounds(metrics, gate),
        *constant(metrics, gate),
        enough(evaluation, gate),
        *against_champion(evaluation, gate),
        *slices(evaluation, gate),
        *leaking(evaluation, gate),
        *believable(metrics, gate),
        *budgets(record, gate),
        same_twice(record),
        calibrated(evaluation, gate),
        *no_pickle(record),
    ]


def summary(findings: list[Finding], verdict: Verdict) -> str:
    """Return the reason for the verdict in a sentence or two, with the rule that decides."""
    deciding = [one for one in findings if one.verdict is verdict and not one.waived]
    if verdict is Verdict.PASS:
        waived = sum(finding.waived for finding in findings)
        but = f" but {waived}, waived for a while" if waived else ""
        return " ".join([f"All {len(findings)} checks passed{but}.", *_compared(deciding)])
    first, *others = deciding
    more = f"; {len(others):,} more finding{'s' if others[1:] else ''}" if others else ""
    return f"{first.message} ({first.rule} {first.subject}{more})"


def _compared(findings: list[Finding]) -> Iterator[str]:
    """Yield the comparison with the champion, metrics with the same conclusion in one sentence."""
    figures: dict[str, list[str]] = {}
    for finding in findings:
        if finding.rule == NOT_WORSE.id:
            conclusion, _, figure = finding.message.removesuffix(".").partition(": ")
            figures.setdefault(conclusion, []).append(figure)
    for conclusion, values in figures.items():
        yield f"{conclusion}: {'; '.join(values)}." if any(values) else f"{conclusion}."
