"""Write the report: build/report.md for a comment, build/report.html with the plots.

Reads build/record.json (after `evaluate`) and build/data-check.json, and judges like `gate`.
Exits 0 whatever the verdict: `gate` decides.
"""

import argparse

from mlops import gate
from mlops.ci import actions
from mlops.console import Timer, say
from mlops.files import write
from mlops.gate import waivers
from mlops.paths import REPORT, REPORT_PAGE
from mlops.training import contract, record


def run(_: argparse.Namespace) -> None:
    """Write both forms of the report, and print its summary and their paths."""
    # Imported here: numpy comes with them, and `--help` imports every step.
    from mlops.report import markdown, page, plots, terminal
    from mlops.report.content import content
    from mlops.report.subject import Judged

    timer, (evaluated, check) = Timer(), record.read_evaluated()
    bounds = contract.params().gate
    findings = waivers.applied(gate.judge(evaluated, check, bounds))
    judged = Judged(evaluated, findings, bounds)
    report = content(judged)
    text = markdown.render(report)
    write(REPORT, text)
    actions.summary(text)
    write(REPORT_PAGE, page.render(report, plots.draw(judged)))
    for line in terminal.lines(judged):
        say("", line)
    say("report", f"{report.verdict}: see {REPORT} and {REPORT_PAGE} ({timer.seconds:.1f} s)")
