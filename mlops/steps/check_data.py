"""Check every partition in use against the data's schema, an allow-list of columns.

Refuses a column that is not in data.SCHEMA, a missing one, a wrong type, a value out of range and
an unknown category, and says how many rows and which values. Writes build/data-check.json, which
the gate reads.
"""

import argparse
from typing import Any

from mlops import contract
from mlops.cli import FAIL
from mlops.console import Timer, complain, say
from mlops.files import write_json
from mlops.paths import DATA_CHECK
from mlops.rules import DATA_CHECKED, Verdict

SHOWN = 10


def run(_: argparse.Namespace) -> int | None:
    """Validate each partition by itself, so that a failure names its partition."""
    timer, params = Timer(), contract.params()
    split, schema = contract.split(params), contract.team_data().SCHEMA
    count, problems, fingerprints = 0, [], {}
    for name in (*split.train, *split.holdout):
        rows = contract.load([name])
        count += len(rows.frame)
        fingerprints |= rows.fingerprints
        problems += [f"{name}: {problem}" for problem in _problems(rows.frame, schema)]
    good = f"{count:,} rows of {len(fingerprints)} partitions keep to data.SCHEMA."
    write_json(
        DATA_CHECK,
        {
            "verdict": Verdict.FAIL if problems else Verdict.PASS,
            "reason": problems[0] if problems else good,
            "problems": problems,
            "fingerprints": fingerprints,
        },
    )
    if not problems:
        say("check-data", f"{good[:-1]} ({timer.seconds:.1f} s)")
        return None
    more = f"\n  ... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    listed = "\n  ".join(problems[:SHOWN])
    complain(f"{DATA_CHECKED.id} {DATA_CHECKED.sentence} These do not:\n  {listed}{more}")
    return FAIL


def _problems(frame: Any, schema: Any) -> list[str]:
    """Return one sentence for each column and check that some rows fail."""
    from pandera.errors import SchemaErrors

    if frame.empty:
        return ["there are no rows. A partition holds at least one."]
    try:
        schema.validate(frame, lazy=True)
        return []
    except SchemaErrors as errors:
        cases = errors.failure_cases.astype({"failure_case": object})
    found = []
    for (column, check), group in cases.groupby(["column", "check"], sort=False, dropna=False):
        values = ", ".join(map(repr, group["failure_case"].drop_duplicates().head(3)))
        if check == "column_in_schema":
            found.append(f"the column(s) {values} are not in data.SCHEMA. Drop or declare them.")
        elif check == "column_in_dataframe":
            found.append(f"the column(s) {values} are missing. data.SCHEMA asks for them.")
        else:
            found.append(f"{column}: {len(group):,} value(s) such as {values} fail {check}.")
    return found
