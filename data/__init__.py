"""The example's data: flights that left New York City in 2013, a partition a month.

This module is what the machinery asks of a team's data (README.md says what each name means).
"""

from data.load import load, partitions

__all__ = [
    "SCHEMA",  # pylint: disable=undefined-all-variable  # see __getattr__
    "SLICES",
    "TARGET",
    "TIME",
    "load",
    "partitions",
]

TARGET = "late"
TIME = "date"
SLICES = ("origin", "carrier")


def __getattr__(name: str):
    """Import SCHEMA when first asked for: pandera takes long to import, and few need it."""
    if name == "SCHEMA":
        from data.schema import SCHEMA

        return SCHEMA
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
