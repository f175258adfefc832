"""Write build/comment.md, the comment for a pull request, from the report of one of its runs.

Fetches the numbers of `--run` as its artifact holds them, judges and renders them with the code and
the rules of this checkout, and says which open pull request they belong to. The workflow
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
    "> [!NOTE]\n> These numbers come from a run of code in a fork, and say what that code says. "
    "They are judged by the rules of this repository, not the fork's. Read the change before you "
    "believe them.\n\n"
)


def run(options: argparse.Namespace) -> None:
    """Find the pull request, fetch the numbers, write the comment."""
    actions.require_default_branch()
    github = GitHub.here()
    made = report_runs.the_run(github, options.run)
    report_runs.pull_of(github, made)
    text = _render(report_runs.fetch(github, made))
    if made.of_fork(github):
        text = FOREIGN + text
    write(COMMENT, text)
    actions.summary(text)
    # Asked again: the head may have moved while the artifact was fetched.
    number = report_runs.pull_of(github, made)
    actions.output("pull-request", str(number))
    actions.output("cml", "no" if report_runs.hijacked(github, number) else "yes")
    say("comment", f"pull request {number} at {made.head[:12]}: see {COMMENT}")


def _render(files: dict) -> str:
    # Imported here: numpy comes with them, and `--help` imports every step.
    from mlops.report import markdown
    from mlops.report.content import content
    from mlops.report.subject import Judged

    made, rules = files[report_runs.RECORD], contract.params().gate
    try:
        found = gate.judge(made, files[report_runs.CHECK], rules)
        judged = Judged(made, waivers.applied(found), rules)
        return markdown.render(content(judged))
    # Whatever else is in there, it is no record that this version writes.
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"{type(error).__name__}: {error}"
        raise Refused(f"no report can be made of that run's numbers ({what[:200]}).") from None
