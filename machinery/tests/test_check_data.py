"""D101 holds for the rows that are used, whatever the schema would do to them."""

import pandas as pd
import pandera.pandas as pa
import pytest
from pandera.config import config_context

from mlops.steps.check_data import _problems

ROWS = pd.DataFrame({"at": pd.to_datetime(["2026-01-01", None, "2026-01-03"]), "km": [1.0, 2, 30]})
SHORT = pa.Check.le(10)


def schema(km=None, **options):
    """A schema of these rows, with another column of kilometres."""
    at = pa.Column(pa.DateTime, nullable=True)
    return pa.DataFrameSchema({"at": at, "km": km or pa.Column(float)}, strict=True, **options)


def problems(declared, rows=ROWS):
    """The problems of a partition."""
    return _problems(rows, declared, (), 10)


@pytest.mark.parametrize(
    ("declared", "rows", "message"),
    [
        (schema(coerce=True), ROWS.astype({"km": str}), "km is another then"),
        (schema(pa.Column(float, coerce=True)), ROWS.astype({"km": int}), "km is another then"),
        (
            schema(pa.Column(float, default=7.0)),
            ROWS.assign(km=[1.0, None, 2.0]),
            "km is another then",
        ),
        (schema(pa.Column(float, parsers=pa.Parser(lambda km: km * 2))), ROWS, "km is another"),
        (schema(parsers=pa.Parser(lambda rows: rows[1:])), ROWS, "1 of 3 rows are dropped"),
        (
            schema(pa.Column(float, SHORT), drop_invalid_rows=True),
            ROWS,
            "1 of 3 rows are dropped",
        ),
    ],
    ids=["coerce", "coerce a column", "default", "parser", "parser of rows", "drop"],
)
def test_a_schema_that_changes_rows_is_refused(declared, rows, message):
    """The rows that it passes would be other ones than the model is trained on."""
    (problem,) = problems(declared, rows)
    assert problem.startswith("data.SCHEMA changes the rows that it checks") and message in problem


@pytest.mark.parametrize(
    ("declared", "rows"),
    [
        (schema(), ROWS),
        (schema(coerce=True), ROWS),
        (schema(coerce=True), ROWS.astype({"at": "datetime64[us]"})),
        (schema(pa.Column(float, SHORT, default=7.0)), ROWS[:2]),
    ],
    ids=["nothing to change", "coerce", "another unit of time", "default"],
)
def test_a_schema_that_would_change_nothing_passes(declared, rows):
    """The rows are as it wants them."""
    assert not problems(declared, rows)


@pytest.mark.parametrize("ambient", [{"validation_enabled": False}, {"validation_depth": None}])
def test_settings_of_pandera_from_outside_have_no_effect(ambient):
    """PANDERA_VALIDATION_ENABLED=False in the shell let every row pass."""
    with config_context(**ambient):
        (problem,) = problems(schema(pa.Column(float, SHORT)))
    assert problem == "km: 1 value(s) such as 30.0 fail less_than_or_equal_to(10)."


def test_another_order_of_columns_is_named():
    """With the right one."""
    (problem,) = problems(schema(ordered=True), ROWS[["km", "at"]])
    assert problem == "the columns come in another order than in data.SCHEMA: at, km."
