"""From pandera to JSON Schema: no property of a column is lost or silently ignored."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from pandera.errors import SchemaError
from pydantic_core import ValidationError

from mlops.errors import UserError
from mlops.serving.schema import allowed, request_type
from mlops.training import contract
from mlops.training.row_schema import row_schema


def described(monkeypatch, column, values, min_rows=1):
    """The schema of rows with one column `x`."""
    team = SimpleNamespace(SCHEMA=pa.DataFrameSchema({"x": column}))
    monkeypatch.setattr(contract, "team_data", lambda: team)
    return row_schema(["x"], pd.DataFrame({"x": values}), min_rows)


@pytest.mark.parametrize(
    "column, values, phrase",
    [
        (pa.Column("int8"), [1], "a whole number from -128 to 127"),
        (pa.Column("int16", pa.Check.in_range(0, 9)), [1], "a whole number from 0 to 9"),
        (pa.Column("Int64", pa.Check.ge(0), nullable=True), [1], "a whole number from 0 to"),
        (pa.Column(float), [1.5], "a number"),
        (pa.Column(float, pa.Check.gt(0)), [1.5], "a number above 0"),
        (pa.Column(float, pa.Check.lt(9), nullable=True), [None], "a number below 9, or null"),
        (pa.Column(bool), [True], "true or false"),
        (pa.Column(str), ["a"], "text"),
        (pa.Column(str, pa.Check.isin(["a", "b"])), ["a"], "a or b"),
        (pa.Column(str, pa.Check.isin({"b", "a"}), nullable=True), ["a"], "a, b or null"),
        (pa.Column(str, pa.Check.str_matches("[a-z]")), ["a"], "text matching ^(?:[a-z])"),
        (pa.Column(str, pa.Check.str_length(1, 3)), ["a"], "text of at least 1 characters"),
        (pa.Column(pa.Category(["a", "b"])), ["a"], "a or b"),
        (pa.Column(int, pa.Check.isin([3, 1])), [1], "3 or 1"),
    ],
)
def test_the_phrase_covers_the_column(monkeypatch, column, values, phrase):
    """Types, ranges, categories, patterns and null."""
    rule = described(monkeypatch, column, values)["properties"]["x"]
    assert allowed(rule).startswith(phrase)


@pytest.mark.parametrize(
    "pattern", ["^a|b", "a|b", "^a", "b", r"^a$|^b$", re.compile("a|b")], ids=str
)
@pytest.mark.parametrize("text", ["a", "b", "xb", "ax", ""])
def test_requests_and_training_apply_a_pattern_alike(monkeypatch, pattern, text):
    """pandera matches from the start of the text, whatever alternatives the pattern has."""
    column = pa.Column(str, pa.Check.str_matches(pattern), nullable=True)
    service = request_type(described(monkeypatch, column, [None]), 1)
    assert _accepts(lambda: service.validate_python({"rows": [{"x": text}]})) == _accepts(
        lambda: pa.DataFrameSchema({"x": column}).validate(pd.DataFrame({"x": [text]}))
    )


def _accepts(check):
    try:
        check()
    except (SchemaError, ValidationError):
        return False
    return True


@pytest.mark.parametrize(
    "values",
    [range(3), np.arange(3), pd.Series([0, 1, 2]), (0, 1, 2), [0, 1, 2, np.nan, None]],
    ids=repr,
)
def test_values_may_come_in_any_list(monkeypatch, values):
    """pandera accepts them all; missing values depend on `nullable`."""
    schema = described(monkeypatch, pa.Column("Int64", pa.Check.isin(values)), [1])
    assert json.dumps(schema["properties"]["x"]) == '{"type": "integer", "enum": [0, 1, 2]}'


def test_a_bound_that_is_infinite_is_none(monkeypatch):
    """JSON cannot hold infinity."""
    checks = [pa.Check.in_range(0, float("inf")), pa.Check.le(float("inf"))]
    for check, bounds in zip(checks, (" from 0", "")):
        rule = described(monkeypatch, pa.Column(float, check), [1.5])["properties"]["x"]
        assert allowed(rule) == f"a number{bounds}" and json.dumps(rule, allow_nan=False)


@pytest.mark.parametrize(
    ("check", "bounds"),
    [
        (pa.Check.ge(-1000), "from -128 to 127"),
        (pa.Check.in_range(0, 1000), "from 0 to 127"),
        (pa.Check.gt(-1000), "from -128 to 127"),
        (pa.Check.in_range(-128, 127, include_min=False), "above -128 to 127"),
    ],
)
def test_a_check_wider_than_the_type_leaves_the_type_s_bounds(monkeypatch, check, bounds):
    """No row of the training data can exceed the type."""
    rule = described(monkeypatch, pa.Column("int8", check), [1])["properties"]["x"]
    assert allowed(rule) == f"a whole number {bounds}"


def test_a_narrow_float_is_kept_from_infinity(monkeypatch):
    """A JSON number may exceed the range of a float32."""
    rule = described(monkeypatch, pa.Column("float32"), [1])["properties"]["x"]
    assert rule["maximum"] == pytest.approx(3.4028235e38)


def test_the_description_is_kept(monkeypatch):
    """The service's documentation comes from the schema."""
    column = pa.Column(int, description="how many")
    assert described(monkeypatch, column, [1])["properties"]["x"]["description"] == "how many"


@pytest.mark.parametrize(
    "column, values, example",
    [
        (pa.Column(int), [9, 1, 5], 5),
        (pa.Column("float32", nullable=True), [None, 0.1, 0.1], 0.1),
        (pa.Column(str), ["b", "a", "b"], "b"),
        (pa.Column(str, nullable=True), [None], None),
    ],
)
def test_the_example_is_typical(monkeypatch, column, values, example):
    """It holds the median or the most frequent value: plausible, but no real row."""
    assert described(monkeypatch, column, values)["examples"] == [{"x": example}]


NAMES = ["Ann Smith", "Ann Smith", "Bob Jones"]


@pytest.mark.parametrize(
    ("column", "values", "example"),
    [
        (pa.Column(str), NAMES, "an example"),
        (pa.Column(str, nullable=True), NAMES, None),
        (pa.Column(str, pa.Check.isin(["c", "b"])), ["b"], "c"),
        (pa.Column(str, pa.Check.str_length(1, 4)), NAMES, "an e"),
        (pa.Column(str, pa.Check.str_length(12)), NAMES, "an example.."),
        (pa.Column(str, pa.Check.str_matches(r"^[A-Z]{2}\d{6}$")), ["AB123456"], "XX000000"),
        (pa.Column(str, metadata={"example": "Jane Doe"}), NAMES * 9, "Jane Doe"),
        (pa.Column(bool), [True], True),
    ],
    ids=["text", "null", "declared", "short", "long", "pattern", "the team's", "boolean"],
)
def test_a_text_of_few_rows_is_no_example(monkeypatch, column, values, example):
    """The example is public: it is invented where no text is in three rows."""
    assert described(monkeypatch, column, values, 3)["examples"] == [{"x": example}]


def test_a_text_of_enough_rows_is_the_example(monkeypatch):
    """Two of three."""
    assert described(monkeypatch, pa.Column(str), NAMES, 2)["examples"] == [{"x": "Ann Smith"}]


def test_a_text_that_cannot_be_invented_is_asked_for(monkeypatch):
    """The shape of a zero is the zero itself."""
    column = pa.Column(str, pa.Check.str_matches("^(0|7)$"))
    with pytest.raises(UserError, match="'x' is in enough rows.*privacy.min_rows.*metadata="):
        described(monkeypatch, column, ["7", "0"], 2)


@pytest.mark.parametrize(
    "column",
    [
        pa.Column(int, pa.Check(lambda column: column > 0, name="mine")),
        pa.Column(int, pa.Check.notin([3])),
        pa.Column(str, pa.Check.str_matches(re.compile("A", re.IGNORECASE))),
        pa.Column(str, [pa.Check.str_matches("^a"), pa.Check.str_matches("b$")]),
    ],
)
def test_a_check_that_json_schema_lacks_is_refused(monkeypatch, column):
    """Without it, the service would accept requests that training refuses."""
    with pytest.raises(UserError, match="'x'.*one each of in_range.*DataFrameSchema"):
        described(monkeypatch, column, [1])


@pytest.mark.parametrize("dtype", ["timedelta64[ns]", object, None])
def test_a_type_that_json_lacks_is_refused(monkeypatch, dtype):
    """The message lists the types that JSON has."""
    with pytest.raises(UserError, match="'x' has the type.*integers, floats"):
        described(monkeypatch, pa.Column(dtype), ["a"])


def test_data_that_breaks_its_schema_is_named(monkeypatch):
    """The example must be a row that the service accepts."""
    with pytest.raises(UserError, match="a whole number from 0 to 3 in x.*have 9.*check-data"):
        described(monkeypatch, pa.Column(int, pa.Check.in_range(0, 3)), [9])


def test_a_pattern_that_cannot_be_applied_is_named(monkeypatch):
    """The service matches with an engine that never backtracks, so it has no look-ahead."""
    with pytest.raises(UserError, match="cannot apply it.*look-around"):
        described(monkeypatch, pa.Column(str, pa.Check.str_matches("^(?!b)")), ["a"])
