"""Write build/comment.md, the comment for a pull request, from the report of one of its runs.

Fetches the numbers of `--run` as its artifact holds them, judges and renders them with the code and
the rules of this checkout, and outputs the number of the open pull request. The workflow
post-report.yml posts it; nothing is posted here.
"""

import argparse

from mlops import gate
from mlops.ci import actions
from mlops.config.options import Option
from mlops.console import say
from mlops.errors import Refused
from mlops.files import write
from mlops.gate import waivers
from mlops.github import report_runs
from mlops.github.api import GitHub
from mlops.paths import COMMENT
from mlops.training import contract

OPTIONS = (
    Option("--run", "the id of the run, the last number in its address", "ID", required=True),
)

FOREIGN = (
    "> [!NOTE]\n> These numbers come from a run of code in a fork, and that code may have invented "
    "them. They are judged by the rules of this repository, not the fork's. Read the change before "
    "you believe them.\n\n"
)


def run(options: argparse.Namespace) -> None:
    """Find the pull request, fetch the numbers, write the comment."""
    actions.require_default_branch()
    github = GitHub.here()
    source = report_runs.pull_request_run(github, options.run)
    report_runs.open_pull(github, source)
    text = _render(report_runs.fetch(github, source))
    if source.of_fork(github):
        text = FOREIGN + text
    write(COMMENT, text)
    actions.summary(text)
    # Look again: somebody may have pushed while the artifact was downloaded.
    number = report_runs.open_pull(github, source)
    actions.output("pull-request", str(number))
    actions.output("cml", "no" if report_runs.hijacked(github, number) else "yes")
    say("comment", f"pull request {number} at {source.head[:12]}: see {COMMENT}")


def _render(files: dict) -> str:
    # Imported here because they import numpy, and `--help` imports every step.
    from mlops.report import markdown
    from mlops.report.content import content
    from mlops.report.subject import Judged

    record, rules = files[report_runs.RECORD], contract.params().gate
    try:
        findings = gate.judge(record, files[report_runs.CHECK], rules)
        judged = Judged(record, waivers.applied(findings), rules)
        return markdown.render(content(judged))
    # A record of unexpected shape fails somewhere in there.
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"{type(error).__name__}: {error}"
        raise Refused(f"no report can be made of that run's numbers ({what[:200]}).") from None
