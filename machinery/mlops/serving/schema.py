"""The JSON Schema of one row: as the type that checks requests, and as text for people."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from mlops.serving import times

JsonSchema = Mapping[str, Any]

# JSON Schema's names, and pydantic's.
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
NOUNS = {
    **{"integer": "a whole number", "number": "a number", "string": "text"},
    times.DAY: "a day as YYYY-MM-DD",
    times.TIME: "a time with its offset as YYYY-MM-DDTHH:MM:SS+00:00",
}


def request_type(schema: JsonSchema, max_rows: int, extra: str = "forbid") -> TypeAdapter:
    """Return the type of a request's body: rows that have every field and no other."""
    # A TypedDict, not a model: it allows any column name, and its rows need no conversion.
    strict = ConfigDict(extra=extra, strict=True)
    row = TypedDict("Row", {name: _type(rule) for name, rule in schema["properties"].items()})
    row.__pydantic_config__ = strict
    rows = Annotated[list[row], Field(min_length=1, max_length=max_rows)]
    body = TypedDict("Body", {"rows": rows})
    body.__pydantic_config__ = strict
    return TypeAdapter(body)


def kind(rule: JsonSchema) -> str:
    """Return the JSON type of a field, null aside."""
    return rule["type"][0] if nullable(rule) else rule["type"]


def nullable(rule: JsonSchema) -> bool:
    """Return whether null is allowed in a field."""
    return isinstance(rule["type"], list)


def allowed(rule: JsonSchema) -> str:
    """Return a field's values as text: `EWR, JFK or LGA`, `a number from 0 to 10, or null`."""
    if "enum" in rule:
        values = [str(value) for value in rule["enum"] if value is not None]
        values += ["null"] if nullable(rule) else []
        return " or ".join(filter(None, [", ".join(values[:-1]), values[-1]]))
    if kind(rule) == "boolean":
        phrases = ["true or false"]
    else:
        phrases = [NOUNS[rule.get("format", kind(rule))], *_bounds(rule)]
    return " ".join(phrases) + (", or null" if nullable(rule) else "")


def _whole_number(value: Any) -> Any:
    """Return 2 for 2.0, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _bounds(rule: JsonSchema) -> list[str]:
    phrases = {
        "minimum": "from {}",
        "exclusiveMinimum": "above {}",
        "maximum": "to {}",
        "exclusiveMaximum": "below {}",
        "minLength": "of at least {} characters",
        "maxLength": "of at most {} characters",
        "pattern": "matching {}",
        "formatMinimum": "from {}",
        "formatExclusiveMinimum": "after {}",
        "formatMaximum": "to {}",
        "formatExclusiveMaximum": "before {}",
    }
    return [phrase.format(rule[key]) for key, phrase in phrases.items() if key in rule]


def _type(rule: JsonSchema) -> Any:
    if "enum" in rule:
        base = Literal[tuple(value for value in rule["enum"] if value is not None)]
    elif times.is_time(rule):
        base = Annotated[str, AfterValidator(times.checker(rule))]
    else:
        limits = {limit: rule[keyword] for keyword, limit in LIMITS.items() if keyword in rule}
        if kind(rule) == "number":
            # JSON has no NaN or Infinity, but Python's parser accepts them.
            limits["allow_inf_nan"] = False
        base = Annotated[KINDS[kind(rule)], Field(**limits)]
        if kind(rule) == "integer":
            base = Annotated[base, BeforeValidator(_whole_number)]
    return base | None if nullable(rule) else base
