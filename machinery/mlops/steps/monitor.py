"""Compare what an environment serves with what its model was trained on and promised.

Reads the prediction log of the last days, the training rows that the release names and, where
there are, labels: CSV or Parquet files with the columns id (of the prediction) and outcome, in
build/live/<environment>/labels/ or given by --labels. Writes build/monitor.json. Exits 0 on pass,
1 on an alarm, 3 on inconclusive. It blocks nothing. MLOPS_LOG and MLOPS_LABELS name other places
than build/live/; both may be URLs.
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
from mlops.rules import Verdict, by_weight
from mlops.training import contract

if TYPE_CHECKING:
    from mlops.monitor.findings import Study
    from mlops.monitor.labels import Labels
    from mlops.monitor.log import Log
    from mlops.monitor.reference import Reference
    from mlops.monitor.verdict import Decision

OPTIONS = (
    ENV,
    Option("--labels", "outcomes by prediction id: CSV or Parquet, or a folder of them", "FILE"),
    Option("--log", "read the prediction log here rather than in build/live/", "FOLDER"),
    Option(
        "--no-fail", "exit 0 whatever is found, and where there is nothing to judge", switch=True
    ),
    Option("--page", "write build/monitor.html too, Evidently's report", switch=True),
)
SHOWN = 5


def run(options: argparse.Namespace) -> int:
    """Judge what the environment's release served, and write down what was found."""
    # Imported here: numpy comes with them, and `--help` imports every step.
    from mlops.monitor.findings import study
    from mlops.monitor.log import read_log
    from mlops.monitor.reference import reference
    from mlops.monitor.verdict import decide

    timer, params = Timer(), contract.params()
    environment = environments.environment(options.env)
    if options.no_fail and environment.release is None:
        say("monitor", f"{environment.name} holds no release yet: there is nothing to judge")
        return PASS
    trained = reference(_release(environment), params)
    labels = _labels(options.labels, environment, trained)
    folder = _place(options.log, "MLOPS_LOG") or LIVE / environment.name / "predictions"
    log = read_log(folder, trained.release.release_id, labels.outcomes)
    _tell_inputs(folder, log, labels, trained)
    made = study(trained, log, labels, params)
    decision = decide(made.findings)
    write_json(MONITOR, _report(environment, trained, log, labels, made, decision))
    _tell(made, decision, timer)
    actions.output("verdict", decision.verdict)
    actions.verdict(f"Monitoring {environment.name}", decision.verdict, decision.reason)
    if options.page:
        # Last: what Evidently cannot draw is judged all the same.
        _page(trained, log, made)
    return PASS if options.no_fail else EXIT[decision.verdict]


def _place(given: str | None, variable: str) -> Path | None:
    """Return what an option names, or else a variable, on this machine."""
    from mlops.monitor.sources import local

    named = given or os.environ.get(variable)
    return local(named) if named else None


def _release(environment: Environment) -> Release:
    release = environment.release
    if release is None:
        raise UserError(
            f"{environment.file} names no release yet, so nothing it serves can be judged. "
            f"Promote one to {environment.name} first."
        )
    return release


def _labels(given: str | None, environment: Environment, trained: "Reference") -> "Labels":
    from mlops.monitor.labels import find_labels, read_labels

    named = _place(given, "MLOPS_LABELS")
    place = named or LIVE / environment.name / "labels"
    # A file that was named and is missing is a mistake; nobody has to keep labels in build/live/.
    paths = [place] if named and not place.is_dir() else find_labels(place)
    return read_labels(paths, trained.outcomes())


def _page(trained: "Reference", log: "Log", made: "Study") -> None:
    """Write Evidently's report, unless there are too few rows."""
    import numpy as np

    from mlops.monitor.drift import SAMPLE
    from mlops.monitor.page import write_page
    from mlops.monitor.reference import served

    if not made.shifts:
        say("monitor", "no page: there are too few rows to compare")
        return
    columns = [shift.column for shift in made.shifts]
    random = np.random.default_rng(0)
    rows = (trained.rows, served(log, made.days, trained))
    before, after = (part.sample(SAMPLE, random).frame[columns] for part in rows)
    write_page(MONITOR_PAGE, before, after)
    say("monitor", f"page: {MONITOR_PAGE}")


def _report(  # pylint: disable=too-many-positional-arguments # all there is
    environment: Environment,
    trained: "Reference",
    log: "Log",
    labels: "Labels",
    made: "Study",
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
        "findings": [finding.as_dict() for finding in by_weight(made.findings)],
        **made.as_dict(),
        "log": log.as_dict(),
        "labels": labels.as_dict(),
        "reference": trained.as_dict(),
    }


def _tell_inputs(folder: Path, log: "Log", labels: "Labels", trained: "Reference") -> None:
    """Say what was read, and everything that was left out."""
    rows, others = log.per_day.total(), log.others.total()
    say("monitor", f"{trained.release.release_id}: {rows:,} rows in {folder.as_posix()}")
    if others:
        say("", f"{others:,} rows of other releases left out: {', '.join(sorted(log.others))}")
    if log.broken:
        say("", f"{log.broken:,} lines left out that are no rows: {'; '.join(log.examples)}")
    if len(log.sample) < rows:
        say("", f"features of {len(log.sample):,} of the rows are compared")
    if labels.files:
        say("", f"{len(labels.outcomes):,} labels in {', '.join(labels.files)}")
    for count, what in (
        (len(labels.outcomes) - len(log.wanted), "labels are of no row of this release"),
        (labels.unusable, "labels have no usable outcome"),
        (labels.conflicting, "predictions have different outcomes and count as unlabelled"),
    ):
        if count:
            say("", f"{count:,} {what}")
    if labels.example:
        say("", f"such as {labels.example}")
    if not trained.unchanged:
        say("", "the training partitions here are no longer those the release was made from")


def _tell(made: "Study", decision: "Decision", timer: Timer) -> None:
    from mlops.monitor.verdict import by_times

    for finding in by_weight(made.findings):
        say("", f"{finding.verdict:<12} {finding.rule} {finding.subject}: {finding.message}")
    if made.shifts:
        say("", f"{'column':<20} {'PSI':>6} {'usual':>6} {'times':>6}")
    for shift in by_times(made.shifts)[:SHOWN]:
        say("", f"{shift.column:<20} {shift.psi:>6.2f} {shift.usual:>6.2f} {shift.times:>6.1f}")
    if made.lacking:
        say("", f"not in the log, so not compared: {', '.join(made.lacking)}")
    say("monitor", f"{decision.verdict.upper()}: {decision.reason} ({timer.seconds:.1f} s)")
