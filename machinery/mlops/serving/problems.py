"""The answer to an invalid request: for each field the value found and the values allowed."""

import difflib
from typing import Any

from pydantic import ValidationError

from mlops.serving.schema import JsonSchema, allowed

MAX_PROBLEMS = 20  # A thousand bad rows have one cause; the first problems show it.
MAX_TEXT = 100


def explain(error: ValidationError, schema: JsonSchema, max_rows: int) -> dict[str, Any]:
    """Return the body of the 400 that answers an invalid request."""
    count = error.error_count()
    details = error.errors(include_url=False, include_context=True)[:MAX_PROBLEMS]
    return {
        "error": f"{count} problem{'s' * (count > 1)} in the request; /docs.json describes it.",
        "detail": [_problem(detail, schema, max_rows) for detail in details],
    }


def _problem(detail: dict[str, Any], schema: JsonSchema, max_rows: int) -> dict[str, Any]:
    path, kind = detail["loc"], detail["type"]
    problem = {
        "field": ".".join(map(str, path)) or "(body)",
        "problem": {"missing": "missing", "extra_forbidden": "unknown"}.get(kind, "value"),
        "found": None if kind == "missing" else _shortened(detail["input"]),
        "allowed": _allowed(path, kind, schema, max_rows),
    }
    if kind == "json_invalid":
        problem |= {"problem": "not JSON", "found": detail["ctx"]["error"]}
    return problem


def _allowed(path: tuple, kind: str, schema: JsonSchema, max_rows: int) -> str:
    """Return what is allowed at a path: the body, its rows, one row or a field of it."""
    fields = schema["properties"]
    if kind == "extra_forbidden":
        names = list(fields) if len(path) > 1 else ["rows"]
        nearest = difflib.get_close_matches(str(path[-1]), names, 1) or names
        return f"no such field; there {'are' if len(nearest) > 1 else 'is'} {', '.join(nearest)}"
    if len(path) == 0:
        return 'an object {"rows": [...]}'
    if len(path) == 1:
        return f"a list of 1 to {max_rows} rows"
    if len(path) == 2:
        return f"an object with the fields {', '.join(fields)}"
    return allowed(fields[path[2]])


def _shortened(value: Any) -> Any:
    """Return a value in a form that the answer can repeat: short, and JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, int):
        # Python does not print integers of more than some thousand digits.
        return value if abs(value) < 2**63 else "an integer beyond 64 bits"
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "..."
    return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
