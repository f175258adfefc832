"""What a row of features may hold, said in JSON Schema: data.SCHEMA for those who send requests."""

import re
from collections.abc import Iterable, Sequence
from math import inf
from operator import gt, lt
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError
from mlops.serving.problems import explain
from mlops.serving.schema import kind, request_type
from mlops.training import contract

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from pandera.pandas import Check, Column

Rule = dict[str, Any]

# pandera's checks in JSON Schema's words, and the argument that holds each one's value.
KEYWORDS = {
    "greater_than": {"exclusiveMinimum": "min_value"},
    "greater_than_or_equal_to": {"minimum": "min_value"},
    "less_than": {"exclusiveMaximum": "max_value"},
    "less_than_or_equal_to": {"maximum": "max_value"},
    "isin": {"enum": "allowed_values"},
    "str_matches": {"pattern": "pattern"},
    "str_length": {"minLength": "min_value", "maxLength": "max_value"},
}


def row_schema(features: Sequence[str], rows: "DataFrame") -> Rule:
    """Return the JSON Schema of one row, with a typical one of `rows` as its example.

    The example is nobody's row: each field is its column's median or most frequent value.
    Raises UserError for a column or check that JSON Schema cannot express.
    """
    declared = contract.team_data().SCHEMA.columns
    fields = {name: _field(name, declared[name]) for name in features}
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(features),
        "additionalProperties": False,
        "examples": [{name: _typical(rows[name], fields[name]) for name in features}],
    }
    _require_sound(schema)
    return schema


def _field(name: str, column: "Column") -> Rule:
    kind_, bounds = _dtype(name, column)
    said: Rule = {}
    for check in column.checks:
        words = _words(check)
        if not words or words.keys() & said.keys():
            raise UserError(
                f"data.SCHEMA: the service cannot hold single rows to the check {check.name!r} of "
                f"{name!r}. It can to one each of in_range, {', '.join(KEYWORDS)}. A check of "
                "whole columns belongs to the frame: DataFrameSchema(..., checks=[...])."
            )
        said |= words
    rule = {"type": [kind_, "null"] if column.nullable else kind_, **_tighter(said, bounds)}
    if column.nullable and "enum" in rule:
        rule["enum"] = [*rule["enum"], None]
    return {**rule, "description": column.description} if column.description else rule


def _dtype(name: str, column: "Column") -> tuple[str, Rule]:
    """Return the JSON type of a column and the values its dtype can hold."""
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
    raise UserError(
        f"data.SCHEMA: {name!r} has the type {column.dtype}, which the service cannot take. "
        "It takes integers, floats, booleans, strings and categories that are strings."
    )


def _float_bounds(dtype: str) -> Rule:
    """Return what a float narrower than JSON's can hold before it becomes infinite."""
    import numpy as np

    if np.dtype(dtype) == np.float64:
        return {}
    largest = float(np.nextafter(np.dtype(dtype).type("inf"), 0))
    return {"minimum": -largest, "maximum": largest}


def _words(check: "Check") -> Rule:
    """Return a pandera check in JSON Schema's words; empty when it has none."""
    given = check.statistics or {}
    if check.name == "in_range":
        low = "minimum" if given["include_min"] else "exclusiveMinimum"
        high = "maximum" if given["include_max"] else "exclusiveMaximum"
        return {low: _plain(given["min_value"]), high: _plain(given["max_value"])}
    if "exact_value" in given and given["exact_value"] is not None:
        return {"minLength": given["exact_value"], "maxLength": given["exact_value"]}
    keywords = KEYWORDS.get(check.name, {})
    words = {
        key: _plain(given[argument]) for key, argument in keywords.items() if argument in given
    }
    if "pattern" in words:
        words["pattern"] = _from_start(words["pattern"])
    return {key: value for key, value in words.items() if value is not None}


def _from_start(pattern: str | re.Pattern) -> str | None:
    """Return a pattern that matches from the start of a text, as pandera does; None with flags.

    JSON Schema looks for it anywhere in the text, and knows no flags.
    """
    if isinstance(pattern, re.Pattern):
        if pattern.flags != re.UNICODE:
            return None
        pattern = pattern.pattern
    # Of `^a|b` only the first alternative is held to the start.
    return pattern if pattern.startswith("^") and "|" not in pattern else f"^(?:{pattern})"


def _tighter(said: Rule, bounds: Rule) -> Rule:
    """Return what the checks say, or what the dtype says where that is tighter."""
    if "enum" in said:
        return said
    # JSON has no infinite number.
    said = {key: value for key, value in said.items() if value not in (inf, -inf)}
    for key, exclusive, wider in (
        ("minimum", "exclusiveMinimum", lt),
        ("maximum", "exclusiveMaximum", gt),
    ):
        ours = {key, exclusive} & said.keys()
        if key in bounds and all(wider(said[name], bounds[key]) for name in ours):
            said = {name: value for name, value in said.items() if name not in ours}
        else:
            bounds = {name: value for name, value in bounds.items() if name != key}
    return {**bounds, **said}


def _plain(value: Any) -> Any:
    """Return a value of numpy or pandas as Python's own, and of several a list."""
    import pandas as pd

    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        # What is missing is for `nullable` to allow.
        return [_plain(one) for one in value if not pd.isna(one)]
    return value


def _typical(column: "Series", rule: Rule) -> Any:
    present = column.dropna()
    if present.empty:
        return None
    if kind(rule) in ("integer", "number"):
        middle = present.sort_values().iloc[len(present) // 2]
        return int(middle) if kind(rule) == "integer" else float(f"{middle:.6g}")
    return _plain(present.mode().iloc[0])


def _require_sound(schema: Rule) -> None:
    """Raise UserError when the schema is no type, or refuses the typical row of the data."""
    from pydantic_core import SchemaError, ValidationError

    try:
        request_type(schema, 1).validate_python({"rows": schema["examples"]})
    except SchemaError as error:
        words = " ".join(str(error).split())
        raise UserError(f"data.SCHEMA: the service cannot apply it: {words}") from None
    except ValidationError as error:
        one = explain(error, schema, 1)["detail"][0]
        raise UserError(
            f"data.SCHEMA allows {one['allowed']} in {one['field'].removeprefix('rows.0.')}, but "
            f"the held-out rows have {one['found']!r}. `make check-data` tells more."
        ) from None
