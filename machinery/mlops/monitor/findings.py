"""From what was read to what every rule finds."""

from dataclasses import dataclass, field
from typing import Any

from mlops.config.params import Params
from mlops.errors import UserError
from mlops.monitor import verdict
from mlops.monitor.drift import Shift, shift, told_apart
from mlops.monitor.labels import Labels
from mlops.monitor.log import Log
from mlops.monitor.performance import Labelled, Measured, measure
from mlops.monitor.reference import Reference, answered, score_shift, served
from mlops.releases.release import Release
from mlops.rules import Finding, Verdict
from mlops.training import contract


@dataclass
class Study:  # pylint: disable=too-many-instance-attributes # one for each thing found
    """What was found, rule by rule and number by number."""

    days: list[str]
    rows: int
    labelled: int = 0
    findings: list[Finding] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)
    scores: Shift | None = None
    told_apart: list[float] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON can hold them."""
        aucs = self.told_apart
        return {
            "rows": self.rows,
            "days": len(self.days),
            "first_day": self.days[0] if self.days else None,
            "last_day": self.days[-1] if self.days else None,
            "labelled": self.labelled,
            "columns": [shift.as_dict() for shift in verdict.by_times(self.shifts)],
            "not_logged": self.lacking,
            "scores": self.scores.as_dict() if self.scores else None,
            "classifier_auc": sum(aucs) / len(aucs) if aucs else None,
            "metrics": {metric.name: metric.as_dict() for metric in self.measured},
        }


def study(trained: Reference, log: Log, labels: Labels, params: Params) -> Study:
    """Judge the newest days of a log, by the labels there are and against the training rows."""
    limits = params.monitor
    days = log.newest(limits.days)
    made = Study(days, sum(log.per_day[day] for day in days))
    enough = verdict.enough_rows(made.rows, len(days), limits)
    made.findings.append(enough)
    if labels.files:
        _performance(made, trained.release, log, labels, params)
    if enough.verdict is Verdict.PASS:
        _drift(made, trained, log, params)
    return made


def promise(release: Release) -> dict[str, Any]:
    """Return the metrics that the gate measured, as the release's evidence has them."""
    figures = [proof.figures for proof in release.spec.evidence if proof.kind == "gate"]
    return next((found["metrics"] for found in reversed(figures) if found), {})


def _performance(made: Study, release: Release, log: Log, labels: Labels, params: Params) -> None:
    import numpy as np

    chosen = [(row, labels.outcomes[i]) for i, row in log.wanted.items() if row.day in made.days]
    made.labelled = len(chosen)
    days = np.array([row.day for row, _ in chosen])
    known = len(set(days))
    enough = verdict.enough_labels(len(chosen), known, len(made.days), params.monitor)
    made.findings.append(enough)
    if enough.verdict is not Verdict.PASS:
        return
    target = np.array([outcome for _, outcome in chosen])
    score = np.array([row.score for row, _ in chosen])
    made.measured = measure(
        Labelled(target, score, days),
        contract.metric_functions(),
        promise(release),
        params.evaluate,
        contract.threshold(),
    )
    made.findings += verdict.performance(made.measured, params.gate)


def _drift(made: Study, trained: Reference, log: Log, params: Params) -> None:
    rows = served(log, made.days, trained)
    shared = [name for name in trained.columns.features if name in rows.frame]
    made.lacking = [name for name in trained.columns.features if name not in shared]
    problem = ""
    if shared:
        made.shifts = [shift(name, trained.rows, rows) for name in shared]
        made.told_apart = told_apart(trained.rows, rows, shared)
        made.findings += [
            verdict.columns(made.shifts, params.monitor),
            verdict.told_apart(made.told_apart, params.monitor),
        ]
    try:
        made.scores = score_shift(trained, answered(log, made.days), params)
    except UserError as error:
        problem = str(error)
    made.findings.append(verdict.scores(made.scores, problem, params.monitor))
