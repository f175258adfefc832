"""Say whether the guards exist, here and on GitHub, and would bite; name the remedy of each.

Works without GitHub and without a token as far as it can see. Exits 0 when every guard was seen and
would bite, 1 when one would not, 3 when one could not be seen: unknown is not ok.
"""

import argparse
import json

from mlops.ci import actions
from mlops.cli import EXIT
from mlops.config.options import Option
from mlops.console import say
from mlops.doctor import examine
from mlops.doctor.context import Seen
from mlops.doctor.findings import Finding, State, verdict
from mlops.errors import UserError
from mlops.github.api import GitHub

OPTIONS = (Option("--json", "print what was found as JSON, and nothing else", switch=True),)


def run(options: argparse.Namespace) -> int:
    """Look at every guard, print a line for each, and exit accordingly."""
    seen = _seen()
    found = []
    for finding in examine(seen):
        found.append(finding)
        if not options.json:
            _show(finding)
    said = verdict(found)
    where = seen.github.repository if seen.github else None
    if options.json:
        findings = [finding.as_dict() for finding in found]
        content = {"repository": where, "verdict": said, "findings": findings}
        print(json.dumps(content, indent=2))
    else:
        say("doctor", f"{said.upper()}: {_count(found)}")
    actions.summary(_table(found, f"Doctor: {said}, {_count(found)}"))
    return EXIT[said]


def _seen() -> Seen:
    try:
        return Seen(GitHub.here())
    except UserError as error:
        return Seen(None, str(error))


def _show(finding: Finding) -> None:
    say(finding.state, f"{finding.guard}: {finding.found}")
    if finding.remedy:
        say("", f"-> {finding.remedy}")


def _count(found: list[Finding]) -> str:
    words = {
        State.BAD: "would not bite",
        State.UNKNOWN: "could not be seen",
        State.OK: "in order",
        State.NOTE: "to know about",
    }
    states = [finding.state for finding in found]
    return ", ".join(f"{states.count(s)} {text}" for s, text in words.items() if s in states)


def _table(found: list[Finding], said: str) -> str:
    from mlops.report.markdown import escape

    told = [one for one in found if one.state is not State.OK]
    cells = [(one.state, one.guard, one.found, one.remedy) for one in told]
    rows = ["| " + " | ".join(escape(cell, 400) for cell in row) + " |" for row in cells]
    return "\n".join(
        [f"### {said}", "", "| | guard | found | remedy |", "|---|---|---|---|", *rows]
    )
