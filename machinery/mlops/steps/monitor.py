"""Compare an environment's predictions with its model's training rows and gate metrics.

Reads the prediction log of the last days, the training rows of the release and, if there are any,
labels: CSV or Parquet files with the columns id (of the prediction) and outcome, in
build/live/<environment>/labels/ or given by --labels. Writes build/monitor.json. Exits 0 on pass,
1 on an alarm, 3 on inconclusive. It blocks nothing. MLOPS_LOG and MLOPS_LABELS override the
folders below build/live/; both may be URLs.
"""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.ci import actions
from mlops.cli import EXIT, PASS
from mlops.config.options import ENV, Option
from mlops.console import Timer, say
from mlops.errors import UserError
from mlops.files import write_json
from mlops.paths import LIVE, MONITOR, MONITOR_PAGE
from mlops.releases import environments
from mlops.releases.environments import Environment
from mlops.releases.release import Release
from mlops.rules import Verdict, worst_first
from mlops.training import contract

if TYPE_CHECKING:
    from mlops.monitor.analysis import Analysis
    from mlops.monitor.labels import Labels
    from mlops.monitor.log import Log
    from mlops.monitor.reference import Reference
    from mlops.monitor.verdict import Decision

OPTIONS = (
    ENV,
    Option("--labels", "outcomes by prediction id: CSV or Parquet, or a folder of them", "FILE"),
    Option("--log", "read the prediction log here rather than in build/live/", "FOLDER"),
    Option(
        "--no-fail", "exit 0 whatever the verdict, and if there is no release to judge", switch=True
    ),
    Option("--page", "write build/monitor.html too, Evidently's report", switch=True),
)
SHOWN = 5


def run(options: argparse.Namespace) -> int:
    """Judge the predictions of the environment's release, and write the result."""
    # Imported here: numpy comes with them, and `--help` imports every step.
    from mlops.monitor.analysis import analyse
    from mlops.monitor.log import read_log
    from mlops.monitor.reference import reference
    from mlops.monitor.verdict import decide

    timer, params = Timer(), contract.params()
    environment = environments.environment(options.env)
    if options.no_fail and environment.release is None:
        say("monitor", f"{environment.name} has no release yet: there is nothing to judge")
        return PASS
    trained = reference(_release(environment), params)
    labels = _labels(options.labels, environment, trained)
    folder = _local(options.log, "MLOPS_LOG") or LIVE / environment.name / "predictions"
    log = read_log(folder, trained.release.release_id, labels.outcomes, answer=trained.answer)
    _print_inputs(folder, log, labels, trained)
    analysis = analyse(trained, log, labels, params)
    decision = decide(analysis.findings)
    write_json(MONITOR, _report(environment, trained, log, labels, analysis, decision))
    _print_result(analysis, decision, timer)
    actions.output("verdict", decision.verdict)
    actions.verdict(f"Monitoring {environment.name}", decision.verdict, decision.reason)
    if options.page:
        # Last, so that the verdict is written even if Evidently fails.
        _page(trained, log, analysis, params.privacy.min_rows)
    return PASS if options.no_fail else EXIT[decision.verdict]


def _local(option: str | None, variable: str) -> Path | None:
    """Return a local path to what an option or else an environment variable names."""
    from mlops.monitor.sources import local

    address = option or os.environ.get(variable)
    return local(address) if address else None


def _release(environment: Environment) -> Release:
    release = environment.release
    if release is None:
        raise UserError(
            f"{environment.file} names no release yet, so there are no predictions to judge. "
            f"Promote one to {environment.name} first."
        )
    return release


def _labels(option: str | None, environment: Environment, trained: "Reference") -> "Labels":
    from mlops.monitor.labels import find_labels, read_labels

    named = _local(option, "MLOPS_LABELS")
    source = named or LIVE / environment.name / "labels"
    # A missing file is a mistake if it was named; labels in build/live/ are optional.
    paths = [source] if named and not source.is_dir() else find_labels(source)
    return read_labels(paths, trained.outcomes(), trained.answer)


def _page(trained: "Reference", log: "Log", analysis: "Analysis", min_rows: int) -> None:
    """Write Evidently's report, unless there are too few rows."""
    import numpy as np

    from mlops.monitor.drift import SAMPLE
    from mlops.monitor.page import write_page
    from mlops.monitor.reference import served

    if not analysis.shifts:
        say("monitor", "no page: there are too few rows to compare")
        return
    columns = [shift.column for shift in analysis.shifts]
    random = np.random.default_rng(0)
    rows = (trained.rows, served(log, analysis.days, trained))
    samples = (part.sample(SAMPLE, random).as_numbers(trained.columns.text) for part in rows)
    before, after = (sample.frame[columns] for sample in samples)
    write_page(MONITOR_PAGE, before, after, min_rows)
    say("monitor", f"page: {MONITOR_PAGE}")


def _report(  # pylint: disable=too-many-positional-arguments # it reports all of them
    environment: Environment,
    trained: "Reference",
    log: "Log",
    labels: "Labels",
    analysis: "Analysis",
    decision: "Decision",
) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "alarm": decision.verdict is Verdict.FAIL,
        "trigger": decision.trigger,
        "reason": decision.reason,
        "environment": environment.name,
        "release_id": trained.release.release_id,
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "findings": [finding.as_dict() for finding in worst_first(analysis.findings)],
        **analysis.as_dict(),
        "log": log.as_dict(),
        "labels": labels.as_dict(),
        "reference": trained.as_dict(),
    }


def _print_inputs(folder: Path, log: "Log", labels: "Labels", trained: "Reference") -> None:
    """Print the inputs, and everything that was left out."""
    rows, others = log.per_day.total(), log.others.total()
    say("monitor", f"{trained.release.release_id}: {rows:,} rows in {folder.as_posix()}")
    if others:
        say("", f"{others:,} rows of other releases left out: {', '.join(sorted(log.others))}")
    if log.broken:
        say("", f"{log.broken:,} lines left out that hold no rows: {'; '.join(log.examples)}")
    if len(log.sample) < rows:
        say("", f"features of {len(log.sample):,} of the rows are compared")
    if labels.files:
        say("", f"{len(labels.outcomes):,} labels in {', '.join(labels.files)}")
    for count, what in (
        (len(labels.outcomes) - len(log.labelled), "labels match no row of this release"),
        (labels.unusable, "labels have no usable outcome"),
        (labels.conflicting, "predictions have different outcomes and count as unlabelled"),
    ):
        if count:
            say("", f"{count:,} {what}")
    if labels.example:
        say("", f"such as {labels.example}")
    if not trained.unchanged:
        say("", "the training partitions here differ from those of the release")


def _print_result(analysis: "Analysis", decision: "Decision", timer: Timer) -> None:
    from mlops.monitor.verdict import by_times

    for finding in worst_first(analysis.findings):
        say("", f"{finding.verdict:<12} {finding.rule} {finding.subject}: {finding.message}")
    if analysis.shifts:
        say("", f"{'column':<20} {'PSI':>6} {'usual':>6} {'times':>6}")
    for shift in by_times(analysis.shifts)[:SHOWN]:
        say("", f"{shift.column:<20} {shift.psi:>6.2f} {shift.usual:>6.2f} {shift.times:>6.1f}")
    if analysis.not_logged:
        say("", f"not in the log, so not compared: {', '.join(analysis.not_logged)}")
    say("monitor", f"{decision.verdict.upper()}: {decision.reason} ({timer.seconds:.1f} s)")
