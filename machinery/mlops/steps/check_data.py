"""Check every partition in use: against data.SCHEMA, and against the partitions before it.

Refuses undeclared and missing columns, wrong types, values out of range and unknown categories,
and names the values and the number of rows. Then compares each partition with those before it
(params.yaml: check), and the held-out rows with the training rows. Writes build/data-check.json,
which the gate reads.
"""

import argparse
import warnings
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
from mlops.training import calls, contract, partitions

SHOWN = 10


def run(_: argparse.Namespace) -> int | None:
    """Validate the partitions one by one, so that a failure names its partition."""
    timer, params = Timer(), contract.params()
    _require_metrics(params.gate)
    _require_columns(params.check)
    columns, split = contract.columns(params.gate.cluster), partitions.split(params)
    loaded = {name: partitions.load([name]) for name in (*split.train, *split.holdout)}
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
    measured = {metric.name: {"constant": metric.constant} for metric in calls.metrics()}
    unknown = [
        finding.message
        for rule, key in gate.METRIC_KEYS.items()
        for finding in gate.unknown_metrics(rule, key, measured, bounds)
    ]
    if unknown:
        raise UserError("\n".join(unknown))


def _require_columns(limits: CheckParams) -> None:
    """Raise UserError for a column in `check:` that data.SCHEMA does not have."""
    names = list(contract.schema().columns)
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
    loaded: dict[str, partitions.Rows],
    columns: contract.Columns,
    split: partitions.Split,
    params: Params,
) -> list[Finding]:
    from mlops.statistics.quality import profile
    from mlops.training.row_schema import row_schema

    schema = contract.schema()
    min_rows = params.privacy.min_rows
    warning_only = _warning_only(schema)
    if warning_only:
        raise UserError(
            f"data.SCHEMA: a check of {', '.join(warning_only)} has raise_warning=True. A warning "
            "refuses no row: leave it out, or leave out the check."
        )
    problems = {
        name: _problems(rows.frame, schema, columns.text, min_rows) for name, rows in loaded.items()
    }
    if any(problems.values()):
        # Rows that break the schema may lack the columns or types that the comparison needs.
        return [
            DATA_CHECKED.finding(name, False, problem)
            for name, of_partition in problems.items()
            for problem in of_partition
        ]
    for name, rows in loaded.items():
        partitions.require(rows.frame, columns, name)
    # The service takes its types and checks from the schema: what it cannot apply is named now.
    row_schema(columns.features, loaded[split.holdout[-1]].frame, min_rows)
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


def _validated(frame: Any, schema: Any) -> Any:
    """Return the rows as pandera validated them, whatever its variables in the environment say."""
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaWarning

    whole = {"validation_enabled": True, "validation_depth": ValidationDepth.SCHEMA_AND_DATA}
    # A warning repeats every value that fails.
    with config_context(**whole), warnings.catch_warnings():
        warnings.simplefilter("ignore", SchemaWarning)
        return schema.validate(frame, lazy=True)


def _changes(frame: Any, validated: Any) -> list[str]:
    """Return a problem for rows that validation changed: those that are used are the others."""
    if validated.equals(frame):
        return []
    changed = f"{len(frame) - len(validated):,} of {len(frame):,} rows are dropped"
    if len(frame) == len(validated):
        same = [n for n in frame if n in validated and _is_same(frame[n], validated[n])]
        if len(same) == len(frame.columns) == len(validated.columns):
            return []
        changed = f"{', '.join(name for name in validated if name not in same)} is another then"
    return [
        f"data.SCHEMA changes the rows that it checks (coerce, default, a parser, "
        f"drop_invalid_rows): {changed}. It must only check; change rows in data.load."
    ]


def _is_same(column: Any, validated: Any) -> bool:
    # pandera takes times of any unit for pa.DateTime, and coerce changes the unit only.
    if column.dtype.kind == validated.dtype.kind == "M":
        return bool(((column == validated) | (column.isna() & validated.isna())).all())
    return validated.equals(column)


def _warning_only(schema: Any) -> list[str]:
    """Return the columns with a check that only warns, which would refuse nothing."""
    checks = [("the frame", check) for check in schema.checks]
    checks += [(name, check) for name, c in schema.columns.items() for check in c.checks]
    return list(dict.fromkeys(name for name, check in checks if check.raise_warning))


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
        return _changes(frame, _validated(frame, schema)) or list(_misshapen(frame, schema))
    except SchemaErrors as errors:
        cases = errors.failure_cases.astype({"failure_case": object})
    return [
        _problem(
            column,
            check,
            group["failure_case"],
            frame,
            schema,
            min_rows=inf if column in text else min_rows,
        )
        for (column, check), group in cases.groupby(["column", "check"], sort=False, dropna=False)
    ]


def _misshapen(frame: Any, schema: Any) -> Iterator[str]:
    """Yield a problem for each column with values that are no list of its length."""
    from mlops.statistics.vectors import misshapen

    for name, column in schema.columns.items():
        if length := contract.length(column):
            if count := misshapen(frame[name], length):
                yield f"{name}: {count:,} value(s) are no list of {length} finite numbers."


def _problem(
    column: Any, check: str, cases: Any, frame: Any, schema: Any, *, min_rows: float
) -> str:
    """Return the sentence about the values of one column that fail one check."""
    rows = cases.map(_plain).value_counts(sort=False, dropna=False).to_dict()
    values = gate.examples(rows, 1 if check.startswith("column_in_") else min_rows)
    if check == "column_ordered":
        names = ", ".join(schema.columns)
        return f"the columns come in another order than in data.SCHEMA: {names}."
    if check == "column_in_schema":
        return f"the column(s) {values} are not in data.SCHEMA. Drop or declare them."
    if check == "column_in_dataframe":
        return f"the column(s) {values} are missing. data.SCHEMA requires them."
    if check.startswith("dtype("):
        types = f"{frame[column].dtype} here and {schema.columns[column].dtype} in data.SCHEMA"
        return f"{column} is {types}. Convert it in data.load, or correct the schema."
    return f"{column}: {len(cases):,} value(s) such as {values} fail {check}."
