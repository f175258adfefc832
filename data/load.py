"""Where the rows come from: one Parquet file a month, committed beside this module.

pandas is imported where it is used, so that naming the partitions costs nothing.
"""

import hashlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

FOLDER = Path(__file__).parent / "partitions"
NAME = re.compile(r"flights-(\d{4}-(0[1-9]|1[0-2]))\.parquet")


def file_of(name: str) -> Path:
    """The file of a partition, whether it exists or not."""
    return FOLDER / f"flights-{name}.parquet"


def partitions() -> list[str]:
    """The names of the months that there are, like "2013-01", oldest first."""
    return sorted(found[1] for path in FOLDER.glob("*") if (found := NAME.fullmatch(path.name)))


def load(name: str) -> "tuple[DataFrame, str]":
    """Return the rows of a month in time order, and the sha256 of its file.

    Raises ValueError for a name that is no partition and for a file that is not a month's rows;
    what the rows hold is for the schema to judge.
    """
    there = partitions()
    if name not in there:
        raise ValueError(
            f"{_shown(name)}: there is no partition {name!r}; there are {', '.join(there)}. "
            "Name one of them, or add the file."
        )
    content = file_of(name).read_bytes()
    rows = _dated(name, parsed(name, content)).sort_values("date", kind="stable")
    return rows.reset_index(drop=True), f"sha256:{hashlib.sha256(content).hexdigest()}"


def parsed(name: str, content: bytes) -> "DataFrame":
    """The rows of a partition as its file has them; raises ValueError where it is damaged."""
    import pandas as pd

    try:
        return pd.read_parquet(io.BytesIO(content))
    # A damaged file fails in many ways: OSError, ArrowInvalid, KeyError, TypeError among them.
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise ValueError(
            f"{_shown(name)}: {len(content):,} bytes that cannot be read as a Parquet file "
            f"({error}). Restore it: git checkout -- {_shown(name)}"
        ) from error


def _dated(name: str, frame: "DataFrame") -> "DataFrame":
    import pandas as pd

    missing = [column for column in ("month", "day") if column not in frame]
    if missing:
        raise ValueError(
            f"{_shown(name)}: lacks {', '.join(missing)}, which say the date of a row; it has "
            f"{', '.join(frame)}. Write it again with them (see data/rebuild.py)."
        )
    year, month = map(int, name.split("-"))
    date = pd.to_datetime(frame[["month", "day"]].assign(year=year), errors="coerce")
    strays = frame[date.dt.month != month]
    if len(strays):
        raise ValueError(
            f"{_shown(name)}: {len(strays):,} of {len(frame):,} rows are not of {name}; the first "
            f"has month {strays['month'].iloc[0]} and day {strays['day'].iloc[0]}. A file holds "
            "the rows of its own month only: move them, or rename the file."
        )
    frame.insert(0, "date", date)
    return frame.drop(columns=["month", "day"])


def _shown(name: str) -> Path:
    return file_of(name).relative_to(FOLDER.parents[1])
