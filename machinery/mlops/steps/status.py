"""Show which release each environment should run, which it runs, and what is broken.

`behind` counts the newer releases of the environment before it.
"""

import argparse
import json
from datetime import UTC, datetime

from mlops.config.options import Option
from mlops.console import age
from mlops.errors import UserError
from mlops.releases import quarantine
from mlops.releases.environments import Environment
from mlops.releases.release import short
from mlops.releases.status import Row, rows
from mlops.targets import target_of

OPTIONS = (
    Option("--env", "only this environment", "NAME"),
    Option("--json", "print it as JSON, with full ids", switch=True),
)

COLUMNS = ("environment", "should run", "for", "runs", "state", "behind", "evidence")


def run(options: argparse.Namespace) -> None:
    """Print the table, what is broken, and how many releases are in quarantine."""
    states = rows(_served, options.env)
    quarantined, problem = _quarantined()
    if options.json:
        plain = [row.as_dict() for row in states]
        values = {"environments": plain, "quarantined": quarantined, "problem": problem}
        print(json.dumps(values, indent=2))
        return
    _print_table([COLUMNS, *map(_cells, states)])
    for row in states:
        for text in row.broken:
            print(f"\n{row.environment} is broken: {text}")
        if row.rollback:
            print(f"\n{row.environment} was rolled back: {row.rollback}")
    print(f"\n{problem or f'{len(quarantined)} in quarantine'}")


def _served(environment: Environment) -> tuple[str, str] | None:
    live = target_of(environment).live(environment)
    return (live.release_id, live.url) if live else None


def _quarantined() -> tuple[list[str], str | None]:
    try:
        return [entry.release_id for entry in quarantine.entries()], None
    except UserError as error:
        return [], str(error)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.environment,
        short(row.desired) if row.desired else "none",
        age(row.since, datetime.now(UTC)) if row.since else "",
        short(row.live) if row.live else "nothing",
        row.state,
        "" if row.behind is None else str(row.behind),
        ", ".join(row.evidence),
    )


def _print_table(lines: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
