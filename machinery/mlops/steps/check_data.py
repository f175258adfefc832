"""Check every partition in use: against data.SCHEMA, and against the partitions before it.

Refuses a column that is not in data.SCHEMA, a missing one, a wrong type, a value out of range and
an unknown category, and says how many rows and which values. Then each partition is compared with
those before it (params.yaml: check), and the held-out rows with those trained on. Writes
build/data-check.json, which the gate reads.
"""

import argparse
from collections.abc import Iterator
from typing import Any

from mlops import gate
from mlops.ci import actions
from mlops.cli import FAIL
from mlops.config.params import GateParams, Params
from mlops.console import Timer, print_error, say
from mlops.errors import UserError
from mlops.files import write_json
from mlops.gate import waivers
from mlops.paths import DATA_CHECK
from mlops.rules import DATA_CHECKED, SENTENCES, Finding, Verdict, find, worst
from mlops.training import contract

SHOWN = 10


def run(_: argparse.Namespace) -> int | None:
    """Validate each partition by itself, so that a failure names its partition."""
    timer, params = Timer(), contract.params()
    _require_metrics(params.gate)
    columns, split = contract.columns(params.gate.cluster), contract.split(params)
    loaded = {name: contract.load([name]) for name in (*split.train, *split.holdout)}
    findings = _judge(loaded, columns, split, params)
    left = waivers.marked(findings, waivers.committed(), waivers.today())
    verdict, waived = worst(left), sum(finding.waived for finding in left)
    bad = [one for one in left if one.verdict is not Verdict.PASS and not one.waived]
    rows = sum(len(one.frame) for one in loaded.values())
    good = f"{rows:,} rows of {len(loaded)} partitions keep to data.SCHEMA and are as usual"
    good += f", but for {waived} waived findings." if waived else "."
    write_json(
        DATA_CHECK,
        {
            "verdict": verdict,
            "reason": f"{bad[0].rule} {bad[0].message}" if bad else good,
            # As found: the gate waives by the day on which it judges.
            "findings": [finding.as_dict() for finding in findings],
            "fingerprints": {
                name: print_ for one in loaded.values() for name, print_ in one.fingerprints.items()
            },
        },
    )
    if verdict is Verdict.PASS:
        say("check-data", f"{good[:-1]} ({timer.seconds:.1f} s)")
        return None
    print_error("\n".join(_told(bad)))
    actions.verdict("Data check", verdict, "; ".join(_told(bad)))
    return FAIL


def _require_metrics(rules: GateParams) -> None:
    """Raise UserError for metrics that params.yaml names amiss; the gate would, after training."""
    from mlops.statistics.metrics import chosen

    metrics = chosen(contract.metric_functions(), contract.threshold())
    measured = {metric.name: {"constant": metric.constant} for metric in metrics}
    wrong = [
        found.message for rule in gate.NAMING for found in gate.misnamed(rule, measured, rules)
    ]
    if wrong:
        raise UserError("\n".join(wrong))


def _judge(
    loaded: dict[str, contract.Rows],
    columns: contract.Columns,
    split: contract.Split,
    params: Params,
) -> list[Finding]:
    from mlops.statistics import quality

    data = contract.team_data()
    problems = {name: _problems(rows.frame, data.SCHEMA) for name, rows in loaded.items()}
    if any(problems.values()):
        # What breaks the schema has not the columns or types that could be compared.
        return [
            find(DATA_CHECKED, name, False, problem)
            for name, found in problems.items()
            for problem in found
        ]
    for name, rows in loaded.items():
        contract.require(rows.frame, columns, name)
    good = f"{len(loaded)} partitions keep to data.SCHEMA."
    profiles = {name: quality.profile(rows.frame, columns.time) for name, rows in loaded.items()}
    return [
        find(DATA_CHECKED, "data", True, good),
        *quality.findings(profiles, split.holdout, params.check),
    ]


def _told(bad: list[Finding]) -> Iterator[str]:
    """Yield each rule that objects, and below it what it objects to."""
    for rule in dict.fromkeys(finding.rule for finding in bad):
        found = [finding for finding in bad if finding.rule == rule]
        yield f"{rule} {SENTENCES[rule]} Not so:"
        yield from (f"  {finding.subject}: {finding.message}" for finding in found[:SHOWN])
        if len(found) > SHOWN:
            yield f"  ... and {len(found) - SHOWN} more"


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
        elif check.startswith("dtype("):
            types = f"{frame[column].dtype} here and {schema.columns[column].dtype} in data.SCHEMA"
            found.append(f"{column} is {types}. Convert it in data.load, or mend the schema.")
        else:
            found.append(f"{column}: {len(group):,} value(s) such as {values} fail {check}.")
    return found
