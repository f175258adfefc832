"""Loading of the rows: one Parquet file for each month, committed beside this module.

pandas is imported late, so that listing the partitions is fast.
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
    """Return the path of a partition's file; it need not exist."""
    return FOLDER / f"flights-{name}.parquet"


def partitions() -> list[str]:
    """Return the names of the months, like "2013-01", oldest first."""
    return sorted(
        match[1]
        for path in FOLDER.glob("*")
        if (match := NAME.fullmatch(path.name)) and path.is_file()
    )


def load(name: str) -> "tuple[DataFrame, str]":
    """Return the rows of a month in time order, and the sha256 of its file.

    Raises ValueError for an unknown partition and for a file that does not hold the month's rows.
    The schema checks the content of the rows.
    """
    names = partitions()
    if name not in names:
        raise ValueError(
            f"{_relative(name)}: there is no partition {name!r}; there are {', '.join(names)}. "
            "Name one of them, or add the file."
        )
    content = file_of(name).read_bytes()
    rows = _dated(name, parsed(name, content)).sort_values("date", kind="stable")
    return rows.reset_index(drop=True), f"sha256:{hashlib.sha256(content).hexdigest()}"


def parsed(name: str, content: bytes) -> "DataFrame":
    """Return the rows of a partition's file; raises ValueError if the file is damaged."""
    import pandas as pd

    try:
        return pd.read_parquet(io.BytesIO(content))
    # A damaged file raises many errors, such as OSError, ArrowInvalid, KeyError and TypeError.
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise ValueError(
            f"{_relative(name)}: {len(content):,} bytes that cannot be read as a Parquet file "
            f"({error}). Restore it: git checkout -- {_relative(name)}"
        ) from error


def _dated(name: str, frame: "DataFrame") -> "DataFrame":
    import pandas as pd

    missing = [column for column in ("month", "day") if column not in frame]
    if missing:
        raise ValueError(
            f"{_relative(name)}: lacks {', '.join(missing)}, which give the date of a row; it has "
            f"{', '.join(frame)}. Write it again with them (see data/rebuild.py)."
        )
    year, month = map(int, name.split("-"))
    date = pd.to_datetime(frame[["month", "day"]].assign(year=year), errors="coerce")
    strays = frame[date.dt.month != month]
    if len(strays):
        raise ValueError(
            f"{_relative(name)}: {len(strays):,} of {len(frame):,} rows are not of {name}; the "
            f"first has month {strays['month'].iloc[0]} and day {strays['day'].iloc[0]}. A file "
            "holds the rows of its own month only: move them, or rename the file."
        )
    frame.insert(0, "date", date)
    return frame.drop(columns=["month", "day"])


def _relative(name: str) -> Path:
    return file_of(name).relative_to(FOLDER.parents[1])
