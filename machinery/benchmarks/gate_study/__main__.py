"""Measure how often the gate errs: python -m benchmarks.gate_study

Trains models as the gate's candidates are trained, draws months from what is known, plants
regressions of known size, and writes the results into docs/gate.md and docs/images/.
Seeded: the same data and code give the same figures. Trained models are kept below build/study.
"""

import argparse
import sys

from benchmarks.gate_study import experiments, page
from benchmarks.gate_study.design import design
from benchmarks.gate_study.scores import Scores
from mlops import cli, files
from mlops.console import Timer, say
from mlops.errors import UserError
from mlops.statistics import metrics
from mlops.training import contract


def run() -> None:
    """Run every experiment and write the page and the picture."""
    timer, params = Timer(), contract.params()
    measured = metrics.chosen(contract.metric_functions(), contract.threshold())
    compared = [metric for metric in measured if params.gate.margins.get(metric.name)]
    if not compared:
        raise UserError("params.yaml: gate.margins names no metric with a margin above 0 to plant.")
    study = experiments.Study(design(Scores()), compared, params)
    say("study", f"models are trained ({timer.seconds:.0f} s)")
    coverage = list(experiments.coverage(study))
    say("study", f"coverage is measured ({timer.seconds:.0f} s)")
    real, innocent = experiments.real(study), experiments.innocent(study)
    say("study", f"innocent changes are judged ({timer.seconds:.0f} s)")
    found, planted = experiments.power(study)
    tables = page.tables(coverage, real, innocent, found, planted)
    files.write(page.PICTURE, page.picture(found))
    files.write(page.PAGE, page.put(page.PAGE.read_text(encoding="utf-8"), tables))
    say("study", f"{page.PAGE} and {page.PICTURE} are written ({timer.seconds:.0f} s)")


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m benchmarks.gate_study", description=__doc__
    ).parse_args()
    sys.exit(cli.exit_code_of(run, "what is trained is kept"))
