"""What is wrong with a request, told field by field: what was found and what is allowed."""

import difflib
from typing import Any

from pydantic import ValidationError

from mlops.serving.schema import Rule, allowed

MOST = 20  # A thousand bad rows have one cause; the first problems show it.
LONGEST = 100


def explain(error: ValidationError, schema: Rule, max_rows: int) -> dict[str, Any]:
    """Return the body of the 400 that answers a request which is not of the type asked for."""
    count = error.error_count()
    told = error.errors(include_url=False, include_context=True)[:MOST]
    return {
        "error": f"{count} problem{'s' * (count > 1)} in the request; /docs.json describes it.",
        "detail": [_problem(one, schema, max_rows) for one in told],
    }


def _problem(one: dict[str, Any], schema: Rule, max_rows: int) -> dict[str, Any]:
    place = one["loc"]
    problem = {
        "field": ".".join(map(str, place)) or "(body)",
        "problem": {"missing": "missing", "extra_forbidden": "unknown"}.get(one["type"], "value"),
        "found": None if one["type"] == "missing" else _shown(one["input"]),
        "allowed": _allowed(place, one["type"], schema, max_rows),
    }
    if one["type"] == "json_invalid":
        problem |= {"problem": "not JSON", "found": one["ctx"]["error"]}
    return problem


def _allowed(place: tuple, fault: str, schema: Rule, max_rows: int) -> str:
    """Return what may stand at a place: the body, its rows, one row or a field of it."""
    fields = schema["properties"]
    if fault == "extra_forbidden":
        known = list(fields) if len(place) > 1 else ["rows"]
        near = difflib.get_close_matches(str(place[-1]), known, 1) or known
        return f"no such field; there {'are' if len(near) > 1 else 'is'} {', '.join(near)}"
    if len(place) == 0:
        return 'an object {"rows": [...]}'
    if len(place) == 1:
        return f"a list of 1 to {max_rows} rows"
    if len(place) == 2:
        return f"an object with the fields {', '.join(fields)}"
    return allowed(fields[place[2]])


def _shown(value: Any) -> Any:
    """Return a value as the answer can repeat it: short, and JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, int):
        # Python refuses to print integers of more than some thousand digits.
        return value if abs(value) < 2**63 else "an integer beyond 64 bits"
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST] + "..."
    return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
