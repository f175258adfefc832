"""The gate: from a record, the check of its data and params.yaml to findings; reads no file.

One file a family of rules; each rule says what it found, whether it objects or not.
"""

from collections.abc import Iterator
from typing import Any

from mlops.config.params import GateParams
from mlops.gate.champion import against_champion
from mlops.gate.data import data_checked, held_out
from mlops.gate.formatting import interval, number, signed
from mlops.gate.leakage import believable, leaking
from mlops.gate.metric_names import NAMING, misnamed
from mlops.gate.metrics import bounds, calibrated, constant, enough, finite
from mlops.gate.slices import slices
from mlops.gate.training import budgets, same_twice
from mlops.rules import NOT_WORSE, Finding, Verdict
from mlops.training.record import Record

__all__ = ["NAMING", "interval", "judge", "misnamed", "number", "signed", "summary"]


def judge(record: Record, data_check: dict[str, Any] | None, gate: GateParams) -> list[Finding]:
    """Return what every rule finds about a record that has been evaluated."""
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
    ]


def summary(findings: list[Finding], verdict: Verdict) -> str:
    """Return why the verdict is what it is, in a sentence or two, with the rule that says so."""
    deciding = [one for one in findings if one.verdict is verdict and not one.waived]
    if verdict is Verdict.PASS:
        waived = sum(finding.waived for finding in findings)
        but = f" but {waived}, waived for a while" if waived else ""
        return " ".join([f"All {len(findings)} checks passed{but}.", *_compared(deciding)])
    first, *others = deciding
    more = f"; {len(others):,} more finding{'s' if others[1:] else ''}" if others else ""
    return f"{first.message} ({first.rule} {first.subject}{more})"


def _compared(findings: list[Finding]) -> Iterator[str]:
    """Yield how the candidate stands beside the champion, the same of several metrics once."""
    told: dict[str, list[str]] = {}
    for finding in findings:
        if finding.rule == NOT_WORSE.id:
            said, _, figures = finding.message.removesuffix(".").partition(": ")
            told.setdefault(said, []).append(figures)
    for said, figures in told.items():
        yield f"{said}: {'; '.join(figures)}." if any(figures) else f"{said}."
