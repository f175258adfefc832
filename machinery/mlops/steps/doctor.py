"""Check every guard, here and on GitHub, and print how to mend those that are bad.

Without GitHub or without a token it checks what it can read. Exits 0 if every guard works, 1 if one
does not, 3 if one could not be checked: unknown is not ok.
"""

import argparse
import json

from mlops.ci import actions
from mlops.cli import EXIT
from mlops.config.options import Option
from mlops.console import say
from mlops.doctor import examine
from mlops.doctor.context import Context
from mlops.doctor.findings import GuardResult, State, verdict
from mlops.errors import UserError
from mlops.github.api import GitHub

OPTIONS = (Option("--json", "print the results as JSON, and nothing else", switch=True),)


def run(options: argparse.Namespace) -> int:
    """Check every guard, print a line for each, and return the exit code of the verdict."""
    context = _context()
    results = []
    for result in examine(context):
        results.append(result)
        if not options.json:
            _show(result)
    overall = verdict(results)
    repository = context.github.repository if context.github else None
    if options.json:
        findings = [result.as_dict() for result in results]
        content = {"repository": repository, "verdict": overall, "findings": findings}
        print(json.dumps(content, indent=2))
    else:
        say("doctor", f"{overall.upper()}: {_count(results)}")
    actions.summary(_table(results, f"Doctor: {overall}, {_count(results)}"))
    return EXIT[overall]


def _context() -> Context:
    try:
        return Context(GitHub.here())
    except UserError as error:
        return Context(None, str(error))


def _show(result: GuardResult) -> None:
    say(result.state, f"{result.guard}: {result.observed}")
    if result.remedy:
        say("", f"-> {result.remedy}")


def _count(results: list[GuardResult]) -> str:
    texts = {
        State.BAD: "bad",
        State.UNKNOWN: "could not be checked",
        State.OK: "in order",
        State.NOTE: "to note",
    }
    states = [result.state for result in results]
    return ", ".join(f"{states.count(s)} {text}" for s, text in texts.items() if s in states)


def _table(results: list[GuardResult], title: str) -> str:
    from mlops.report.markdown import escape

    listed = [one for one in results if one.state is not State.OK]
    cells = [(one.state, one.guard, one.observed, one.remedy) for one in listed]
    rows = ["| " + " | ".join(escape(cell, 400) for cell in row) + " |" for row in cells]
    return "\n".join(
        [f"### {title}", "", "| | guard | found | remedy |", "|---|---|---|---|", *rows]
    )
