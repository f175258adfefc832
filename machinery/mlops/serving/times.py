"""Days and times in requests: text in JSON, `datetime` for the model, as in training."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

# JSON Schema's formats, and the key for the time zone that training saw.
DAY, TIME, ZONE = "date", "date-time", "x-time-zone"
# JSON Schema proposes these for a format's values; they are inclusive, then exclusive.
BOUNDS = {
    "formatMinimum": datetime.__ge__,
    "formatMaximum": datetime.__le__,
    "formatExclusiveMinimum": datetime.__gt__,
    "formatExclusiveMaximum": datetime.__lt__,
}
# RFC 3339, with an offset; Python reads more, such as weeks.
PATTERNS = {
    DAY: re.compile(r"\d{4}-\d\d-\d\d", re.ASCII),
    TIME: re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII),
}


def is_time(rule: Mapping[str, Any]) -> bool:
    """Return whether a field holds days or times."""
    return rule.get("format") in PATTERNS


def reader(rule: Mapping[str, Any]) -> Callable[[str], datetime]:
    """Return the function that parses a field's text; it raises ValueError for any other."""
    pattern, zone = PATTERNS[rule["format"]], _zone(rule)

    def read(text: str) -> datetime:
        if not pattern.fullmatch(text):
            raise ValueError("not of this format")
        try:
            moment = datetime.fromisoformat(text.upper())
            return moment.astimezone(zone) if zone else moment
        # Near the first and the last year a time zone leads beyond them.
        except OverflowError as error:
            raise ValueError(str(error)) from error

    return read


def checker(rule: Mapping[str, Any]) -> Callable[[str], str]:
    """Return the function that returns a valid text of a field, and raises ValueError else."""
    read = reader(rule)
    bounds = [(inside, read(rule[key])) for key, inside in BOUNDS.items() if key in rule]

    def check(text: str) -> str:
        moment = read(text)
        if not all(inside(moment, bound) for inside, bound in bounds):
            raise ValueError("beyond a bound")
        return text

    return check


def text_of(moment: datetime) -> str:
    """Return a day or, with a time zone, a time as a client sends it."""
    return (moment if moment.tzinfo else moment.date()).isoformat()


def _zone(rule: Mapping[str, Any]) -> tzinfo | None:
    name = rule.get(ZONE)
    return UTC if name == "UTC" else name and ZoneInfo(name)
