"""The rules of the monitor with their checks, and the decision from all findings; pure.

Labels decide before drift does: a model that still performs as it did at the gate needs no
retraining, however much its rows have drifted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops.config.params import GateParams, MonitorParams
from mlops.monitor.drift import Shift
from mlops.monitor.performance import LiveMetric
from mlops.rules import Finding, Rule, Verdict, worst, worst_first

ENOUGH_ROWS = Rule("W101", "There are enough rows and days for a judgement.")
ENOUGH_LABELS = Rule("W102", "There are labels for enough rows and days for a judgement.")
BEATS_CONSTANT = Rule("W103", "On labelled rows the model beats the best constant prediction.")
AS_AT_GATE = Rule(
    "W104",
    "On labelled rows the model is not worse than the gate measured by more than the margin.",
)
COLUMNS = Rule("W105", "No column has drifted far beyond what was usual in training.")
SEPARABLE = Rule("W106", "A classifier cannot separate the served days from the training days.")
SCORES = Rule("W107", "The scores have not drifted far beyond what was usual in training.")

RULES = (ENOUGH_ROWS, ENOUGH_LABELS, BEATS_CONSTANT, AS_AT_GATE, COLUMNS, SEPARABLE, SCORES)
PERFORMANCE_RULES = (BEATS_CONSTANT.id, AS_AT_GATE.id)
DRIFT_RULES = (COLUMNS.id, SEPARABLE.id, SCORES.id)
MOST_NAMED = 5


@dataclass(frozen=True)
class Decision:
    """The verdict, the trigger of a retraining if it fails, and the reason."""

    verdict: Verdict
    trigger: str | None
    reason: str


def enough_rows(rows: int, days: int, limits: MonitorParams) -> Finding:
    """Check that there are enough rows and days to judge drift."""
    counts = f"{rows:,} rows on {days} days"
    if rows >= limits.min_rows and days >= limits.min_days:
        return ENOUGH_ROWS.finding("rows", True, f"{counts}.")
    needed = f"{limits.min_rows:,} rows on {limits.min_days} days are needed"
    remedy = "Run this again later."
    if days and rows / days * limits.days < limits.min_rows:
        remedy = (
            f"At {rows / days:,.0f} rows a day, {limits.days} days (monitor.days) never have so "
            "many: lower min_rows or raise days."
        )
    message = f"{counts}; {needed} (monitor.min_rows, monitor.min_days). {remedy}"
    return ENOUGH_ROWS.inconclusive("rows", message)


def enough_labels(rows: int, days: int, served_days: int, limits: MonitorParams) -> Finding:
    """Check that the labels are enough to represent the served rows."""
    counts = f"{rows:,} rows on {days} of {served_days} days"
    share = days / max(served_days, 1)
    many = rows >= limits.min_rows and days >= limits.min_days
    if many and share >= limits.min_labelled:
        return ENOUGH_LABELS.finding("labels", True, f"{counts}.")
    needed = (
        f"{limits.min_rows:,} rows, {limits.min_days} days and {limits.min_labelled:.0%} of the "
        "days are needed (monitor.min_rows, min_days, min_labelled)"
    )
    message = f"{counts}; {needed}. Until then drift decides."
    return ENOUGH_LABELS.inconclusive("labels", message)


def performance(metrics: Sequence[LiveMetric], gate: GateParams) -> list[Finding]:
    """Judge the metrics that the gate judges, by the gate's margins."""
    findings = []
    for metric in metrics:
        value = metric.value
        shown = f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"
        if metric.name in gate.beat_constant and metric.loss_to_constant:
            message = f"{shown}; the best constant prediction scores {metric.constant:.4f}"
            findings.append(_loss(BEATS_CONSTANT, metric.name, metric.loss_to_constant, 0, message))
        if metric.name in gate.margins and metric.loss_to_gate:
            margin, loss = gate.margins[metric.name], metric.loss_to_gate
            message = (
                f"{shown}, the gate measured {metric.at_gate:.4f}; worse by {loss.value:+.4f} "
                f"[{loss.low:+.4f}, {loss.high:+.4f}], at most {margin:g} allowed (gate.margins)"
            )
            findings.append(_loss(AS_AT_GATE, metric.name, loss, margin, message))
    return findings


def _loss(rule: Rule, subject: str, loss, margin: float, message: str) -> Finding:
    if loss.value <= margin:
        return rule.finding(subject, True, f"{message}.")
    if loss.low > margin:
        return rule.finding(subject, False, f"{message}. Retrain.")
    return rule.inconclusive(subject, f"{message}. It may be chance; more labels will decide.")


def columns(shifts: Sequence[Shift], limits: MonitorParams) -> Finding:
    """Judge all columns together, so that there is one finding however many columns drift."""
    moved = [shift for shift in by_times(shifts) if shift.times > limits.times_usual]
    if not moved:
        first = by_times(shifts)[0]
        message = f"{_shift(first)} moved most, {_bound(limits)}."
        return COLUMNS.finding("columns", True, message)
    names = ", ".join(map(_shift, moved[:MOST_NAMED]))
    others = f" and {len(moved) - MOST_NAMED} more" if len(moved) > MOST_NAMED else ""
    message = f"{names}{others} moved, {_bound(limits)}. Check their sources, or retrain."
    return COLUMNS.finding("columns", False, message)


def separability(aucs: Sequence[float], limits: MonitorParams) -> Finding:
    """Judge the classifier by its mean AUC."""
    if not aucs:
        return SEPARABLE.inconclusive("days", "there are too few training days for a classifier.")
    mean = sum(aucs) / len(aucs)
    message = (
        f"AUC {mean:.2f} ({min(aucs):.2f} to {max(aucs):.2f}) on days it was not trained on, "
        f"at most {limits.max_auc:g} allowed (monitor.max_auc)."
    )
    return SEPARABLE.finding("days", mean <= limits.max_auc, message)


def scores(shift: Shift | None, problem: str, limits: MonitorParams) -> Finding:
    """Judge the drift of the scores; inconclusive if the training rows have none."""
    if shift is None:
        message = f"The training rows could not be scored: {problem}"
        return SCORES.inconclusive("scores", message)
    message = f"{_shift(shift)}, {_bound(limits)}."
    return SCORES.finding("scores", shift.times <= limits.times_usual, message)


def by_times(shifts: Sequence[Shift]) -> list[Shift]:
    """Return the shifts, the largest multiple of the usual one first."""
    return sorted(shifts, key=lambda shift: -shift.times)


def _shift(shift: Shift) -> str:
    return f"{shift.column} (PSI {shift.psi:.2f}, usual {shift.usual:.2f})"


def _bound(limits: MonitorParams) -> str:
    return f"at most {limits.times_usual:g} times the usual allowed (monitor.times_usual)"


def decide(findings: Sequence[Finding]) -> Decision:
    """Decide by labels if there are enough of them, else by drift."""
    by_rule: Mapping[str, list[Finding]] = {
        rule.id: [finding for finding in findings if finding.rule == rule.id] for rule in RULES
    }
    labelled = worst(by_rule[ENOUGH_LABELS.id]) is Verdict.PASS
    by_labels = [finding for rule in PERFORMANCE_RULES for finding in by_rule[rule]]
    drift = [finding for rule in DRIFT_RULES for finding in by_rule[rule]]
    if labelled and worst(by_labels) is not Verdict.INCONCLUSIVE:
        trigger = "performance" if worst(by_labels) is Verdict.FAIL else None
        reason = _reason(by_labels) + _drift_remark(by_labels, drift)
        return Decision(worst(by_labels), trigger, reason)
    too_few = [f for f in by_rule[ENOUGH_ROWS.id] if f.verdict is not Verdict.PASS]
    if too_few or not drift:
        return Decision(Verdict.INCONCLUSIVE, None, _reason(too_few or list(findings)))
    if worst(drift) is Verdict.FAIL:
        return Decision(Verdict.FAIL, "drift", _reason(drift))
    deciding = [*drift, *(by_labels if labelled else [])]
    return Decision(worst(deciding), None, _reason(deciding))


def _reason(findings: Sequence[Finding]) -> str:
    first = worst_first(findings)[0]
    alike = [finding for finding in findings if finding.verdict is first.verdict]
    if first.verdict is Verdict.PASS:
        return f"{', '.join(dict.fromkeys(finding.rule for finding in alike))}: nothing found."
    more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
    return f"{first.rule} {first.subject}: {first.message.removesuffix('.')}{more}."


def _drift_remark(by_labels: Sequence[Finding], drift: Sequence[Finding]) -> str:
    if worst(by_labels) is Verdict.PASS and any(
        finding.verdict is Verdict.FAIL for finding in drift
    ):
        return " The rows have drifted, but the model performs as well as before."
    return ""
