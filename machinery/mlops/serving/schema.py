"""The JSON Schema of one row: as the type that checks requests, and in words for people."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

Rule = Mapping[str, Any]

# JSON Schema's names beside pydantic's.
KINDS = {"integer": int, "number": float, "string": str, "boolean": bool}
LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
}
SPOKEN = {"integer": "a whole number", "number": "a number", "string": "text"}


def request_type(schema: Rule, max_rows: int, extra: str = "forbid") -> TypeAdapter:
    """Return the type of a request's body: rows with every field given and no other."""
    # A TypedDict rather than a model: any column name will do, and rows need no conversion.
    strict = ConfigDict(extra=extra, strict=True)
    row = TypedDict("Row", {name: _type(rule) for name, rule in schema["properties"].items()})
    row.__pydantic_config__ = strict
    rows = Annotated[list[row], Field(min_length=1, max_length=max_rows)]
    body = TypedDict("Body", {"rows": rows})
    body.__pydantic_config__ = strict
    return TypeAdapter(body)


def kind(rule: Rule) -> str:
    """Return the JSON type of a field, null aside."""
    return rule["type"][0] if nullable(rule) else rule["type"]


def nullable(rule: Rule) -> bool:
    """Return whether null is allowed in a field."""
    return isinstance(rule["type"], list)


def allowed(rule: Rule) -> str:
    """Say what a field may hold, e.g. `EWR, JFK or LGA` or `a number from 0 to 10, or null`."""
    if "enum" in rule:
        words = [str(value) for value in rule["enum"] if value is not None]
        words += ["null"] if nullable(rule) else []
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    if kind(rule) == "boolean":
        words = ["true or false"]
    else:
        words = [SPOKEN[kind(rule)], *_bounds(rule)]
    return " ".join(words) + (", or null" if nullable(rule) else "")


def _whole(value: Any) -> Any:
    """Take 2.0 for 2, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _bounds(rule: Rule) -> list[str]:
    phrases = {
        "minimum": "from {}",
        "exclusiveMinimum": "above {}",
        "maximum": "to {}",
        "exclusiveMaximum": "below {}",
        "minLength": "of at least {} characters",
        "maxLength": "of at most {} characters",
        "pattern": "matching {}",
    }
    return [phrase.format(rule[key]) for key, phrase in phrases.items() if key in rule]


def _type(rule: Rule) -> Any:
    if "enum" in rule:
        base = Literal[tuple(value for value in rule["enum"] if value is not None)]
    else:
        limits = {ours: rule[theirs] for theirs, ours in LIMITS.items() if theirs in rule}
        if kind(rule) == "number":
            # JSON has no NaN or Infinity, but Python's reader takes them.
            limits["allow_inf_nan"] = False
        base = Annotated[KINDS[kind(rule)], Field(**limits)]
        if kind(rule) == "integer":
            base = Annotated[base, BeforeValidator(_whole)]
    return base | None if nullable(rule) else base
