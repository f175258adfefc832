"""The example's data: flights that left New York City in 2013, one partition for each month.

The machinery uses only the names in this module; README.md describes them.
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
    """Import SCHEMA on first use, since pandera takes long to import and few steps need it."""
    if name == "SCHEMA":
        from data.schema import SCHEMA

        return SCHEMA
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
