"""The rules of the monitor, what each finds, and what follows; pure: asks nobody.

Labels decide before drift does: a model that still does what it promised needs no retraining,
however much its rows have moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops.config.params import GateParams, MonitorParams
from mlops.monitor.drift import Shift
from mlops.monitor.performance import Measured
from mlops.rules import Finding, Rule, Verdict, by_weight, worst

ENOUGH_ROWS = Rule("W101", "There are enough rows and days to judge by.")
ENOUGH_LABELS = Rule("W102", "There are labels for enough rows and days to judge by.")
BEATS_CONSTANT = Rule("W103", "Where labels came, the model beat the best constant answer.")
AS_PROMISED = Rule("W104", "Where labels came, the model did as well as the gate measured.")
COLUMNS = Rule("W105", "No column has moved far beyond what was usual in training.")
TOLD_APART = Rule("W106", "The days served cannot be told from those trained on.")
SCORES = Rule("W107", "The scores have not moved far beyond what was usual in training.")

RULES = (ENOUGH_ROWS, ENOUGH_LABELS, BEATS_CONSTANT, AS_PROMISED, COLUMNS, TOLD_APART, SCORES)
OF_PERFORMANCE = (BEATS_CONSTANT.id, AS_PROMISED.id)
OF_DRIFT = (COLUMNS.id, TOLD_APART.id, SCORES.id)
NAMED = 5


@dataclass(frozen=True)
class Decision:
    """The verdict, why, and what a retraining would be triggered by."""

    verdict: Verdict
    trigger: str | None
    reason: str


def enough_rows(rows: int, days: int, limits: MonitorParams) -> Finding:
    """Judge whether drift can be judged."""
    found = f"{rows:,} rows on {days} days"
    if rows >= limits.min_rows and days >= limits.min_days:
        return Finding(ENOUGH_ROWS.id, "rows", Verdict.PASS, f"{found}.")
    needed = f"{limits.min_rows:,} rows on {limits.min_days} days are needed"
    message = f"{found}; {needed} (monitor.min_rows, monitor.min_days). Ask again later."
    return Finding(ENOUGH_ROWS.id, "rows", Verdict.INCONCLUSIVE, message)


def enough_labels(rows: int, days: int, served_days: int, limits: MonitorParams) -> Finding:
    """Judge whether the labels speak for what was served."""
    found = f"{rows:,} rows on {days} of {served_days} days"
    share = days / max(served_days, 1)
    many = rows >= limits.min_rows and days >= limits.min_days
    if many and share >= limits.min_labelled:
        return Finding(ENOUGH_LABELS.id, "labels", Verdict.PASS, f"{found}.")
    needed = (
        f"{limits.min_rows:,} rows, {limits.min_days} days and {limits.min_labelled:.0%} of the "
        "days are needed (monitor.min_rows, min_days, min_labelled)"
    )
    message = f"{found}; {needed}. Until then drift decides."
    return Finding(ENOUGH_LABELS.id, "labels", Verdict.INCONCLUSIVE, message)


def performance(measured: Sequence[Measured], gate: GateParams) -> list[Finding]:
    """Judge the metrics that the gate judges, by the gate's margins."""
    found = []
    for metric in measured:
        value = metric.value
        shown = f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"
        if metric.name in gate.beat_constant and metric.beyond_constant:
            message = f"{shown}; always giving one best answer scores {metric.constant:.4f}"
            found.append(_loss(BEATS_CONSTANT, metric.name, metric.beyond_constant, 0, message))
        if metric.name in gate.margins and metric.beyond_promise:
            margin, loss = gate.margins[metric.name], metric.beyond_promise
            message = (
                f"{shown}, the gate measured {metric.promised:.4f}; worse by {loss.value:+.4f} "
                f"[{loss.low:+.4f}, {loss.high:+.4f}], at most {margin:g} allowed (gate.margins)"
            )
            found.append(_loss(AS_PROMISED, metric.name, loss, margin, message))
    return found


def _loss(rule: Rule, subject: str, loss, margin: float, message: str) -> Finding:
    if loss.value <= margin:
        return Finding(rule.id, subject, Verdict.PASS, f"{message}.")
    if loss.low > margin:
        return Finding(rule.id, subject, Verdict.FAIL, f"{message}. Retrain.")
    message = f"{message}. It may be chance; more labels will tell."
    return Finding(rule.id, subject, Verdict.INCONCLUSIVE, message)


def columns(shifts: Sequence[Shift], limits: MonitorParams) -> Finding:
    """Judge all columns together, so that there is one answer however many they are."""
    moved = [shift for shift in by_times(shifts) if shift.times > limits.times_usual]
    if not moved:
        first = by_times(shifts)[0]
        message = f"{_shift(first)} moved most, {_bound(limits)}."
        return Finding(COLUMNS.id, "columns", Verdict.PASS, message)
    names = ", ".join(map(_shift, moved[:NAMED]))
    others = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
    message = f"{names}{others} moved, {_bound(limits)}. Look at what feeds them, or retrain."
    return Finding(COLUMNS.id, "columns", Verdict.FAIL, message)


def told_apart(found: Sequence[float], limits: MonitorParams) -> Finding:
    """Judge the classifier's areas under the curve by their mean."""
    if not found:
        message = "training has too few days to ask."
        return Finding(TOLD_APART.id, "days", Verdict.INCONCLUSIVE, message)
    mean = sum(found) / len(found)
    message = (
        f"AUC {mean:.2f} ({min(found):.2f} to {max(found):.2f}) on days it had not seen, "
        f"at most {limits.max_auc:g} allowed (monitor.max_auc)."
    )
    verdict = Verdict.FAIL if mean > limits.max_auc else Verdict.PASS
    return Finding(TOLD_APART.id, "days", verdict, message)


def scores(shift: Shift | None, problem: str, limits: MonitorParams) -> Finding:
    """Judge the scores; without those of the training rows there is nothing to compare with."""
    if shift is None:
        message = f"The training rows could not be scored: {problem}"
        return Finding(SCORES.id, "scores", Verdict.INCONCLUSIVE, message)
    verdict = Verdict.FAIL if shift.times > limits.times_usual else Verdict.PASS
    return Finding(SCORES.id, "scores", verdict, f"{_shift(shift)}, {_bound(limits)}.")


def by_times(shifts: Sequence[Shift]) -> list[Shift]:
    """Return the columns, those that moved most beyond the usual first."""
    return sorted(shifts, key=lambda shift: -shift.times)


def _shift(shift: Shift) -> str:
    return f"{shift.column} (PSI {shift.psi:.2f}, usual {shift.usual:.2f})"


def _bound(limits: MonitorParams) -> str:
    return f"at most {limits.times_usual:g} times the usual allowed (monitor.times_usual)"


def decide(findings: Sequence[Finding]) -> Decision:
    """Decide by labels where there are enough of them, else by drift."""
    by_rule: Mapping[str, list[Finding]] = {
        rule.id: [finding for finding in findings if finding.rule == rule.id] for rule in RULES
    }
    labelled = worst(by_rule[ENOUGH_LABELS.id]) is Verdict.PASS
    real = [finding for rule in OF_PERFORMANCE for finding in by_rule[rule]]
    drift = [finding for rule in OF_DRIFT for finding in by_rule[rule]]
    if labelled and worst(real) is not Verdict.INCONCLUSIVE:
        trigger = "performance" if worst(real) is Verdict.FAIL else None
        return Decision(worst(real), trigger, _because(real) + _nevertheless(real, drift))
    short = [f for f in by_rule[ENOUGH_ROWS.id] if f.verdict is not Verdict.PASS]
    if short or not drift:
        return Decision(Verdict.INCONCLUSIVE, None, _because(short or list(findings)))
    if worst(drift) is Verdict.FAIL:
        return Decision(Verdict.FAIL, "drift", _because(drift))
    deciding = [*drift, *(real if labelled else [])]
    return Decision(worst(deciding), None, _because(deciding))


def _because(findings: Sequence[Finding]) -> str:
    first = by_weight(findings)[0]
    alike = [finding for finding in findings if finding.verdict is first.verdict]
    if first.verdict is Verdict.PASS:
        return f"{', '.join(dict.fromkeys(finding.rule for finding in alike))}: nothing found."
    more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
    return f"{first.rule} {first.subject}: {first.message.removesuffix('.')}{more}."


def _nevertheless(real: Sequence[Finding], drift: Sequence[Finding]) -> str:
    if worst(real) is Verdict.PASS and any(finding.verdict is Verdict.FAIL for finding in drift):
        return " The rows have moved, but the model does as well as before."
    return ""
