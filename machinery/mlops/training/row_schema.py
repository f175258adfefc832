"""data.SCHEMA as JSON Schema, which the service validates requests against."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import inf
from operator import gt, lt
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError
from mlops.serving import times
from mlops.serving.problems import explain
from mlops.serving.schema import ARRAY, kind, nullable, request_type
from mlops.training import contract

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from pandera.pandas import Check, Column

JsonSchema = dict[str, Any]

# pandera's checks, the JSON Schema keywords for them, and the arguments with their values.
KEYWORDS = {
    "greater_than": {"exclusiveMinimum": "min_value"},
    "greater_than_or_equal_to": {"minimum": "min_value"},
    "less_than": {"exclusiveMaximum": "max_value"},
    "less_than_or_equal_to": {"maximum": "max_value"},
    "isin": {"enum": "allowed_values"},
    "str_matches": {"pattern": "pattern"},
    "str_length": {"minLength": "min_value", "maxLength": "max_value"},
}

# Those of numbers, and those of days and times.
FORMAT_KEYWORDS = {
    "minimum": "formatMinimum",
    "maximum": "formatMaximum",
    "exclusiveMinimum": "formatExclusiveMinimum",
    "exclusiveMaximum": "formatExclusiveMaximum",
}
A_DAY = timedelta(days=1)
EXAMPLE = "an example"


def row_schema(features: Sequence[str], rows: "DataFrame", min_rows: int = 1) -> JsonSchema:
    """Return the JSON Schema of one row, with a typical row as its example.

    The example is no real row: each field is the median or most frequent value of its column, or
    an invented text where `min_rows` rows have no text in common. Raises UserError for a column
    or check that JSON Schema cannot express.
    """
    data = contract.team_data()
    declared, text = data.SCHEMA.columns, getattr(data, "TEXT", ())
    fields = {name: _field(name, declared[name]) for name in features}
    for name in features:
        _require_days(name, rows[name], fields[name])
    least = {name: inf if name in text else min_rows for name in features}
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(features),
        "additionalProperties": False,
        "examples": [{n: _example(declared[n], rows[n], fields[n], least[n]) for n in features}],
    }
    _require_sound(schema)
    return schema


def _field(name: str, column: "Column") -> JsonSchema:
    kind_, bounds = _of_lists(column) or _dtype(name, column)
    constraints: JsonSchema = {}
    for check in column.checks:
        keywords = _keywords(check)
        if times.is_time(bounds):
            keywords = _of_times(keywords)
        if not keywords or keywords.keys() & constraints.keys():
            raise UserError(
                f"data.SCHEMA: the service cannot apply the check {check.name!r} of {name!r} to "
                f"single rows. A column may have one each of in_range, {', '.join(KEYWORDS)}. A "
                "check of whole columns belongs to the frame: DataFrameSchema(..., checks=[...])."
            )
        constraints |= keywords
    rule = {"type": [kind_, "null"] if column.nullable else kind_, **_tighter(constraints, bounds)}
    if times.is_time(rule):
        for end in ("Minimum", "Maximum"):
            if f"formatExclusive{end}" in constraints:
                rule.pop(f"format{end}", None)
        _require_bounds(name, rule)
    if column.nullable and "enum" in rule:
        rule["enum"] = [*rule["enum"], None]
    return {**rule, "description": column.description} if column.description else rule


def _of_lists(column: "Column") -> tuple[str, JsonSchema] | None:
    """Return the JSON type of a column of lists and their length, None for another column."""
    length = contract.length(column)
    numbers = {"items": {"type": "number"}, "minItems": length, "maxItems": length}
    return (ARRAY, numbers) if length else None


def _dtype(name: str, column: "Column") -> tuple[str, JsonSchema]:
    """Return the JSON type of a column and the bounds of its dtype."""
    import numpy as np
    import pandas as pd
    from pandas.api import types

    dtype = column.dtype and column.dtype.type
    if types.is_bool_dtype(dtype):
        return "boolean", {}
    if types.is_integer_dtype(dtype):
        limits = np.iinfo(str(dtype).lower())
        return "integer", {"minimum": int(limits.min), "maximum": int(limits.max)}
    if types.is_float_dtype(dtype):
        return "number", _float_bounds(str(dtype).lower())
    if isinstance(dtype, pd.CategoricalDtype) and types.is_string_dtype(dtype.categories):
        return "string", {"enum": list(dtype.categories)}
    if isinstance(dtype, pd.StringDtype):
        return "string", {}
    if types.is_datetime64_any_dtype(dtype):
        return "string", _of_type(name, dtype)
    raise UserError(
        f"data.SCHEMA: {name!r} has the type {column.dtype}, which the service cannot take. "
        "It takes integers, floats, booleans, strings, categories of strings, days (pa.DateTime), "
        "times with a time zone (pd.DatetimeTZDtype) and lists of numbers of one length "
        '(pa.Column(object, metadata={"length": 64})).'
    )


def _float_bounds(dtype: str) -> JsonSchema:
    """Return the bounds of a float narrower than 64 bits, beyond which it becomes infinite."""
    import numpy as np

    if np.dtype(dtype) == np.float64:
        return {}
    largest = float(np.nextafter(np.dtype(dtype).type("inf"), 0))
    return {"minimum": -largest, "maximum": largest}


def _of_type(name: str, dtype: Any) -> JsonSchema:
    """Return the format of days, or of times with a time zone, and the bounds of nanoseconds."""
    import numpy as np
    import pandas as pd

    unit = np.datetime_data(dtype)[0] if isinstance(dtype, np.dtype) else dtype.unit
    ends = (pd.Timestamp.min.ceil("D"), pd.Timestamp.max.floor("D")) if unit == "ns" else ()
    if isinstance(dtype, np.dtype):
        rule = {"format": times.DAY}
    else:
        rule = {"format": times.TIME, times.ZONE: str(dtype.tz)}
        # A day further inside, wherever the time zone is.
        ends = [end.tz_localize("UTC") + step for end, step in zip(ends, (A_DAY, -A_DAY))]
    rule |= zip(("formatMinimum", "formatMaximum"), map(times.text_of, ends))
    try:
        times.checker(rule)
    except (KeyError, ValueError):
        raise UserError(
            f"data.SCHEMA: {name!r} has the time zone {dtype.tz}, which the service does not know. "
            'Name one of the IANA database, such as "UTC" or "Europe/Berlin".'
        ) from None
    return rule


def _of_times(keywords: JsonSchema) -> JsonSchema:
    """Return the keywords of a check as those of days and times; empty if there is none."""
    if not keywords.keys() <= FORMAT_KEYWORDS.keys():
        return {}
    import pandas as pd

    return {
        FORMAT_KEYWORDS[key]: times.text_of(pd.Timestamp(value)) for key, value in keywords.items()
    }


def _require_bounds(name: str, rule: JsonSchema) -> None:
    try:
        times.checker(rule)
    except ValueError:
        way = "without" if times.ZONE in rule else "with"
        raise UserError(
            f"data.SCHEMA: {name!r} has a bound of the check {way} a time zone or a time of day, "
            "unlike its values. Give pa.Check a pd.Timestamp of the column's kind."
        ) from None


def _require_days(name: str, values: "Series", field: JsonSchema) -> None:
    """Raise UserError for a column of days whose rows have times of day: they would be lost."""
    if (
        field.get("format") == times.DAY
        and (values.dropna() != values.dropna().dt.floor("D")).any()
    ):
        raise UserError(
            f"data.SCHEMA: {name!r} holds times of day without a time zone, so a client could not "
            'name the moment. Give it one, as in pa.Column(pd.DatetimeTZDtype("us", '
            '"UTC")), or keep the day only.'
        )


def _keywords(check: "Check") -> JsonSchema:
    """Return a pandera check as JSON Schema; empty if it cannot be expressed."""
    arguments = check.statistics or {}
    if check.name == "in_range":
        low = "minimum" if arguments["include_min"] else "exclusiveMinimum"
        high = "maximum" if arguments["include_max"] else "exclusiveMaximum"
        return {low: _plain(arguments["min_value"]), high: _plain(arguments["max_value"])}
    if "exact_value" in arguments and arguments["exact_value"] is not None:
        return {"minLength": arguments["exact_value"], "maxLength": arguments["exact_value"]}
    values = {
        key: _plain(arguments[argument])
        for key, argument in KEYWORDS.get(check.name, {}).items()
        if argument in arguments
    }
    if "pattern" in values:
        values["pattern"] = _from_start(values["pattern"])
    return {key: value for key, value in values.items() if value is not None}


def _from_start(pattern: str | re.Pattern) -> str | None:
    """Return a pattern that matches from the start of a text, as pandera does; None with flags.

    JSON Schema searches the whole text and has no flags.
    """
    if isinstance(pattern, re.Pattern):
        if pattern.flags != re.UNICODE:
            return None
        pattern = pattern.pattern
    # In `^a|b` only the first alternative is anchored.
    return pattern if pattern.startswith("^") and "|" not in pattern else f"^(?:{pattern})"


def _tighter(constraints: JsonSchema, bounds: JsonSchema) -> JsonSchema:
    """Return the constraints of the checks, with the dtype's bounds where those are tighter."""
    if "enum" in constraints:
        return constraints
    # JSON has no infinite number.
    constraints = {key: value for key, value in constraints.items() if value not in (inf, -inf)}
    for key, exclusive, wider in (
        ("minimum", "exclusiveMinimum", lt),
        ("maximum", "exclusiveMaximum", gt),
    ):
        keys = {key, exclusive} & constraints.keys()
        if key in bounds and all(wider(constraints[name], bounds[key]) for name in keys):
            constraints = {name: value for name, value in constraints.items() if name not in keys}
        else:
            bounds = {name: value for name, value in bounds.items() if name != key}
    return {**bounds, **constraints}


def _plain(value: Any) -> Any:
    """Return a value of numpy or pandas as a Python value, several values as a list."""
    import pandas as pd

    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        # `nullable` allows missing values, not the enum.
        return [_plain(one) for one in value if not pd.isna(one)]
    return value


def _example(column: "Column", values: "Series", field: JsonSchema, min_rows: float) -> Any:
    """Return a typical value of a column, or its `metadata={"example": ...}`."""
    if "example" in (column.metadata or {}):
        return column.metadata["example"]
    present = values.dropna()
    if kind(field) in ("integer", "number", ARRAY) or times.is_time(field):
        return _median(present, field)
    frequencies = present.value_counts()
    if not frequencies.empty and (kind(field) == "boolean" or frequencies.iloc[0] >= min_rows):
        return _plain(present.mode().iloc[0])
    if nullable(field):
        return None
    if "enum" in field:
        return field["enum"][0]
    return _invented(column.name, present.astype(str), field, min_rows)


def _medians(present: "Series") -> list[float]:
    """Return the median of each position: no row's list."""
    # Imported here: numpy comes with it, and signing imports this module.
    from mlops.statistics.vectors import components

    return [float(f"{column.median():.6g}") for column in components(present)]


def _median(present: "Series", field: JsonSchema) -> Any:
    if present.empty:
        return None
    if kind(field) == ARRAY:
        return _medians(present)
    middle = present.sort_values().iloc[len(present) // 2]
    if times.is_time(field):
        return times.text_of(middle)
    return int(middle) if kind(field) == "integer" else float(f"{middle:.6g}")


def _invented(name: str, present: "Series", field: JsonSchema, min_rows: float) -> str:
    """Return a text that the schema allows and no row holds, at most the shape of one.

    Raises UserError if there is none.
    """
    # What all texts begin with is nobody's: a pattern such as ^ORD-[0-9]+$ may ask for it.
    start = len(commonprefix(present.tolist())) if len(present) >= min_rows else 0
    shapes = present.str[:start] + present.str[start:].map(_shape)
    least, most = field.get("minLength", 0), field.get("maxLength", len(EXAMPLE))
    plain = EXAMPLE.ljust(least, ".")[: max(least, most)]
    taken = set(present)
    for text in (plain, *shapes.value_counts().index):
        schema = {"properties": {name: field}}
        if text not in taken and _accepts(schema, {name: text}):
            return text
    raise UserError(
        f"data.SCHEMA: no text of {name!r} is in enough rows to be published as an example "
        "(privacy.min_rows), and none could be invented that its checks allow. Give the column "
        'one: pa.Column(..., metadata={"example": "..."}).'
    )


def _shape(text: str) -> str:
    """Return a text with an X for each capital, an x for each other letter, a 0 for each digit."""
    return re.sub(r"\d", "0", re.sub(r"[a-z]", "x", re.sub(r"[A-Z]", "X", text)))


def _accepts(schema: JsonSchema, row: dict[str, Any]) -> bool:
    from pydantic_core import SchemaError, ValidationError

    try:
        request_type(schema, 1).validate_python({"rows": [row]})
    except (SchemaError, ValidationError):
        return False
    return True


def _require_sound(schema: JsonSchema) -> None:
    """Raise UserError if the service cannot apply the schema, or it refuses the typical row."""
    from pydantic_core import SchemaError, ValidationError

    try:
        request_type(schema, 1).validate_python({"rows": schema["examples"]})
    except SchemaError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"data.SCHEMA: the service cannot apply it: {reason}") from None
    except ValidationError as error:
        problem = explain(error, schema, 1)["detail"][0]
        raise UserError(
            f"data.SCHEMA allows {problem['allowed']} in "
            f"{problem['field'].removeprefix('rows.0.')}, but the held-out rows have "
            f"{problem['found']!r}. `make check-data` shows details."
        ) from None
