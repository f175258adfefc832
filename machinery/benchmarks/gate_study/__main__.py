"""Measure how often the gate errs: python -m benchmarks.gate_study

Trains models as candidates are trained, draws months from known populations, plants regressions of
known size, and writes the results into machinery/docs/. Seeded: the same data and code give the
same figures. Scores are cached below build/study.
"""

import argparse
import sys

from benchmarks.gate_study import experiments, page
from benchmarks.gate_study.design import design
from benchmarks.gate_study.scores import Scores
from mlops import cli, files
from mlops.console import Timer, say
from mlops.errors import UserError
from mlops.training import calls, contract


def run() -> None:
    """Run every experiment and write the page and the picture."""
    timer, params = Timer(), contract.params()
    measured = calls.metrics()
    compared = [metric for metric in measured if params.gate.margins.get(metric.name)]
    if not compared:
        raise UserError(
            "params.yaml: gate.margins names no metric with a margin above 0 for a regression."
        )
    study = experiments.Study(design(Scores()), compared, params)
    say("study", f"models are trained ({timer.seconds:.0f} s)")
    coverage = list(experiments.coverage(study))
    say("study", f"coverage is measured ({timer.seconds:.0f} s)")
    real, innocent = experiments.real(study), experiments.innocent(study)
    say("study", f"innocent changes are judged ({timer.seconds:.0f} s)")
    verdicts, planted = experiments.power(study)
    tables = page.tables(coverage, real, innocent, verdicts, planted)
    files.write(page.PICTURE, page.picture(verdicts))
    files.write(page.PAGE, page.put(page.PAGE.read_text(encoding="utf-8"), tables))
    say("study", f"{page.PAGE} and {page.PICTURE} are written ({timer.seconds:.0f} s)")


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m benchmarks.gate_study", description=__doc__
    ).parse_args()
    sys.exit(cli.exit_code_of(run, "finished scores are kept"))
