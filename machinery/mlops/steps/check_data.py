"""Check every partition in use: against data.SCHEMA, and against the partitions before it.

Refuses undeclared and missing columns, wrong types, values out of range and unknown categories,
and names the values and the number of rows. Then compares each partition with those before it
(params.yaml: check), and the held-out rows with the training rows. Writes build/data-check.json,
which the gate reads.
"""

import argparse
from collections.abc import Iterator
from math import inf
from typing import Any

from mlops import gate
from mlops.ci import actions
from mlops.cli import FAIL
from mlops.config.params import CheckParams, GateParams, Params
from mlops.console import Timer, print_error, say
from mlops.errors import UserError, did_you_mean
from mlops.files import write_json
from mlops.gate import waivers
from mlops.gate.data import DATA_CHECKED
from mlops.gate.quality import quality
from mlops.paths import DATA_CHECK
from mlops.rules import Finding, Verdict, worst
from mlops.training import contract

SHOWN = 10


def run(_: argparse.Namespace) -> int | None:
    """Validate the partitions one by one, so that a failure names its partition."""
    timer, params = Timer(), contract.params()
    _require_metrics(params.gate)
    _require_columns(params.check)
    columns, split = contract.columns(params.gate.cluster), contract.split(params)
    loaded = {name: contract.load([name]) for name in (*split.train, *split.holdout)}
    findings = _judge(loaded, columns, split, params)
    marked = waivers.marked(findings, waivers.committed(), waivers.today())
    verdict, waived = worst(marked), sum(finding.waived for finding in marked)
    failed = [one for one in marked if one.verdict is not Verdict.PASS and not one.waived]
    rows = sum(len(one.frame) for one in loaded.values())
    passed = f"{rows:,} rows of {len(loaded)} partitions conform to data.SCHEMA and look as usual"
    passed += f", except for {waived} waived findings." if waived else "."
    write_json(
        DATA_CHECK,
        {
            "verdict": verdict,
            "reason": f"{failed[0].rule} {failed[0].message}" if failed else passed,
            # Without waivers: the gate applies those that are valid on the day of its judgement.
            "findings": [finding.as_dict() for finding in findings],
            "fingerprints": {
                name: hash_ for one in loaded.values() for name, hash_ in one.fingerprints.items()
            },
        },
    )
    if verdict is Verdict.PASS:
        say("check-data", f"{passed[:-1]} ({timer.seconds:.1f} s)")
        return None
    print_error("\n".join(_lines(failed)))
    actions.verdict("Data check", verdict, "; ".join(_lines(failed)))
    return FAIL


def _require_metrics(bounds: GateParams) -> None:
    """Raise UserError for unknown metrics in params.yaml, which the gate refuses after training."""
    measured = {metric.name: {"constant": metric.constant} for metric in contract.metrics()}
    unknown = [
        finding.message
        for rule, key in gate.METRIC_KEYS.items()
        for finding in gate.unknown_metrics(rule, key, measured, bounds)
    ]
    if unknown:
        raise UserError("\n".join(unknown))


def _require_columns(limits: CheckParams) -> None:
    """Raise UserError for a column in `check:` that data.SCHEMA does not have."""
    names = list(contract.team_data().SCHEMA.columns)
    shares = limits.max_unseen if isinstance(limits.max_unseen, dict) else {}
    for key, column in (
        *(("may_freeze", name) for name in limits.may_freeze),
        *(("max_unseen", name) for name in shares if name != "default"),
    ):
        if column not in names:
            raise UserError(
                f"params.yaml: check.{key} names the column {column!r}, which data.SCHEMA does "
                f"not have. It has {', '.join(names)}.{did_you_mean(column, names)}"
            )


def _judge(
    loaded: dict[str, contract.Rows],
    columns: contract.Columns,
    split: contract.Split,
    params: Params,
) -> list[Finding]:
    from mlops.statistics.quality import profile

    data = contract.team_data()
    min_rows = params.privacy.min_rows
    problems = {
        name: _problems(rows.frame, data.SCHEMA, columns.text, min_rows)
        for name, rows in loaded.items()
    }
    if any(problems.values()):
        # Rows that break the schema may lack the columns or types that the comparison needs.
        return [
            DATA_CHECKED.finding(name, False, problem)
            for name, of_partition in problems.items()
            for problem in of_partition
        ]
    for name, rows in loaded.items():
        contract.require(rows.frame, columns, name)
    passed = f"{len(loaded)} partitions conform to data.SCHEMA."
    profiles = {
        name: profile(rows.frame, columns.time, columns.text) for name, rows in loaded.items()
    }
    return [
        DATA_CHECKED.finding("data", True, passed),
        *quality(profiles, split.holdout, params.check, min_rows),
    ]


def _lines(failed: list[Finding]) -> Iterator[str]:
    """Yield each broken rule, and below it its findings."""
    for rule in dict.fromkeys(finding.rule for finding in failed):
        of_rule = [finding for finding in failed if finding.rule == rule]
        yield f"{rule} {gate.SENTENCES[rule]} It is broken by:"
        yield from (f"  {finding.subject}: {finding.message}" for finding in of_rule[:SHOWN])
        if len(of_rule) > SHOWN:
            yield f"  ... and {len(of_rule) - SHOWN} more"


def _plain(value: Any) -> Any:
    """Return a Python value that can be counted; a list becomes text."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return str(value) if isinstance(value, list | dict | set) else value


def _problems(frame: Any, schema: Any, text: tuple[str, ...], min_rows: int) -> list[str]:
    """Return one sentence for each column and check that some rows fail.

    None quotes a free text, or one that fewer than `min_rows` rows have.
    """
    from pandera.errors import SchemaErrors

    if frame.empty:
        return ["there are no rows. A partition holds at least one."]
    try:
        schema.validate(frame, lazy=True)
        return []
    except SchemaErrors as errors:
        cases = errors.failure_cases.astype({"failure_case": object})
    problems = []
    for (column, check), group in cases.groupby(["column", "check"], sort=False, dropna=False):
        rows = group["failure_case"].map(_plain).value_counts(sort=False, dropna=False).to_dict()
        least = inf if column in text else min_rows
        values = gate.examples(rows, 1 if check.startswith("column_in_") else least)
        if check == "column_in_schema":
            problems.append(f"the column(s) {values} are not in data.SCHEMA. Drop or declare them.")
        elif check == "column_in_dataframe":
            problems.append(f"the column(s) {values} are missing. data.SCHEMA requires them.")
        elif check.startswith("dtype("):
            types = f"{frame[column].dtype} here and {schema.columns[column].dtype} in data.SCHEMA"
            problems.append(f"{column} is {types}. Convert it in data.load, or correct the schema.")
        else:
            problems.append(f"{column}: {len(group):,} value(s) such as {values} fail {check}.")
    return problems
