"""The analysis of an environment: from the log and the labels to the findings of every rule."""

from dataclasses import dataclass, field
from typing import Any

from mlops.config.params import Params
from mlops.errors import UserError
from mlops.monitor import verdict
from mlops.monitor.drift import Shift, classifier_aucs, shift
from mlops.monitor.labels import Labels
from mlops.monitor.log import Log
from mlops.monitor.performance import Labelled, LiveMetric, measure
from mlops.monitor.reference import Reference, score_shift, served, served_scores
from mlops.releases.release import Release
from mlops.rules import Finding, Verdict
from mlops.serving.answer import CLASSES
from mlops.training import calls, contract


@dataclass
class Analysis:  # pylint: disable=too-many-instance-attributes # one for each result
    """The findings of the rules, and the numbers behind them."""

    days: list[str]
    rows: int
    labelled: int = 0
    findings: list[Finding] = field(default_factory=list)
    not_logged: list[str] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)
    scores: Shift | None = None
    aucs: list[float] = field(default_factory=list)
    metrics: list[LiveMetric] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values for JSON."""
        return {
            "rows": self.rows,
            "days": len(self.days),
            "first_day": self.days[0] if self.days else None,
            "last_day": self.days[-1] if self.days else None,
            "labelled": self.labelled,
            "columns": [shift.as_dict() for shift in verdict.by_times(self.shifts)],
            "not_logged": self.not_logged,
            "scores": self.scores.as_dict() if self.scores else None,
            "classifier_auc": sum(self.aucs) / len(self.aucs) if self.aucs else None,
            "metrics": {metric.name: metric.as_dict() for metric in self.metrics},
        }


def analyse(trained: Reference, log: Log, labels: Labels, params: Params) -> Analysis:
    """Judge the newest days of a log by their labels and by their drift from the training rows."""
    limits = params.monitor
    days = log.newest(limits.days)
    analysis = Analysis(days, sum(log.per_day[day] for day in days))
    enough = verdict.enough_rows(analysis.rows, len(days), limits)
    analysis.findings.append(enough)
    if labels.files:
        _performance(analysis, trained, log, labels, params)
    if enough.verdict is Verdict.PASS:
        _drift(analysis, trained, log, params)
    return analysis


def gate_metrics(release: Release) -> dict[str, Any]:
    """Return the metrics that the gate measured, from the release's evidence."""
    figures = [proof.figures for proof in release.spec.evidence if proof.kind == "gate"]
    return next((evidence["metrics"] for evidence in reversed(figures) if evidence), {})


def _performance(
    analysis: Analysis, trained: Reference, log: Log, labels: Labels, params: Params
) -> None:
    import numpy as np

    answer, now = trained.answer, contract.answer()
    if answer != now:
        message = (
            f"The release answers {answer.described()}, model/ {now.described()}: its metrics "
        )
        message += "are others. Run this at the release's commit."
        analysis.findings.append(verdict.ENOUGH_LABELS.inconclusive("labels", message))
        return
    chosen = [
        (row, labels.outcomes[i]) for i, row in log.labelled.items() if row.day in analysis.days
    ]
    analysis.labelled = len(chosen)
    days = np.array([row.day for row, _ in chosen])
    labelled_days = len(set(days))
    enough = verdict.enough_labels(len(chosen), labelled_days, len(analysis.days), params.monitor)
    analysis.findings.append(enough)
    if enough.verdict is not Verdict.PASS:
        return
    target = np.array([outcome for _, outcome in chosen])
    if answer.kind == CLASSES:
        target = target.astype(int)
    score = np.array([row.score for row, _ in chosen])
    analysis.metrics = measure(
        Labelled(target, score, days),
        calls.metrics(),
        gate_metrics(trained.release),
        params.evaluate,
    )
    analysis.findings += verdict.performance(analysis.metrics, params.gate)


def _drift(analysis: Analysis, trained: Reference, log: Log, params: Params) -> None:
    rows = served(log, analysis.days, trained)
    shared = [name for name in trained.columns.features if name in rows.frame]
    analysis.not_logged = [name for name in trained.columns.features if name not in shared]
    problem = ""
    if shared:
        text = trained.columns.text
        analysis.shifts = [shift(name, trained.rows, rows, name in text) for name in shared]
        numbers = (part.as_numbers(text) for part in (trained.rows, rows))
        analysis.aucs = classifier_aucs(*numbers, shared)
        analysis.findings += [
            verdict.columns(analysis.shifts, params.monitor),
            verdict.separability(analysis.aucs, params.monitor),
        ]
    scores = served_scores(log, analysis.days, trained.answer)
    try:
        analysis.scores = score_shift(trained, scores, params)
    except UserError as error:
        problem = str(error)
    analysis.findings.append(verdict.scores(analysis.scores, problem, params.monitor))
