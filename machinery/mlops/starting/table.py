"""Read the team's table: one file, or a folder with one file for each partition."""

import codecs
import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pandas import DataFrame, Series

TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
SUFFIXES = (*TEXT, ".parquet")
DELIMITERS = ",;\t|"
FEWEST_ROWS = 100


@dataclass(frozen=True)
class SourceTable:
    """The rows of a source; `parts` has the file of each row if the source is a folder.

    `remarks` are on the names of its columns.
    """

    name: str
    frame: "DataFrame"
    parts: "Series | None" = None
    remarks: tuple[str, ...] = ()


def read(source: str) -> SourceTable:
    """Read a file or a folder of files; raises UserError for whatever is no table."""
    path = Path(source)
    if not path.exists():
        raise UserError(f"FROM names {source}, which does not exist.{_near(path)}")
    table = _folder(path) if path.is_dir() else SourceTable(_stem(path), _file(path))
    if len(table.frame) < FEWEST_ROWS:
        raise UserError(
            f"{source} has {len(table.frame):,} rows. At least {FEWEST_ROWS} are needed: some to "
            "train on, and some to judge on."
        )
    return replace(table, remarks=_repeated(path))


def _repeated(path: Path) -> tuple[str, ...]:
    """Return a remark for each name that several columns of a text file have."""
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    remarks = {}
    for one in (one for one in paths if any(_ends(one, suffix) for suffix in TEXT)):
        header = _header(one)
        names = next(csv.reader([header], delimiter=max(DELIMITERS, key=header.count)))
        for name in names:
            if (count := names.count(name)) > 1 and name:
                remarks[name] = f"{count} columns are named {name}; the second counts as {name}.1"
    return tuple(remarks.values())


def _near(path: Path) -> str:
    siblings = [one.name for one in path.parent.glob("*")] if path.parent.is_dir() else []
    return did_you_mean(path.name, siblings)


def _stem(path: Path) -> str:
    return next(path.name.removesuffix(end) for end in (*SUFFIXES[::-1], "") if _ends(path, end))


def _ends(path: Path, suffix: str) -> bool:
    return path.name.lower().endswith(suffix)


def _folder(folder: Path) -> SourceTable:
    import pandas as pd

    paths = sorted(p for p in folder.iterdir() if any(_ends(p, end) for end in SUFFIXES))
    if not paths:
        raise UserError(f"{folder} holds no table: no file that ends in {', '.join(SUFFIXES)}.")
    frames = {_stem(path): _file(path) for path in paths}
    if len(frames) < len(paths):
        raise UserError(f"{folder} holds two files of one name, such as a.csv and a.parquet.")
    (first, columns), *others = ((name, list(frame)) for name, frame in frames.items())
    for name, own in others:
        if differing := sorted(set(own) ^ set(columns)):
            raise UserError(
                f"{folder}: {name} and {first} differ in the column(s) {', '.join(differing)}. "
                "Every file needs the same columns."
            )
    frame = pd.concat(frames.values(), ignore_index=True)
    parts = pd.Series([name for name, one in frames.items() for _ in range(len(one))])
    return SourceTable(folder.resolve().name, frame, parts)


def _file(path: Path) -> "DataFrame":
    if not any(_ends(path, suffix) for suffix in SUFFIXES):
        raise UserError(f"{path} is no table that can be read: it must end in {_or(SUFFIXES)}.")
    try:
        frame = _parquet(path) if _ends(path, ".parquet") else _text(path)
    except UserError:
        raise
    # pandas and pyarrow raise many errors, such as ParserError, ArrowInvalid and BadGzipFile.
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise UserError(
            f"{path} cannot be read as {path.suffix.lstrip('.')}: {' '.join(str(error).split())}. "
            "Open it and look at that line, or save it as UTF-8 with one header line."
        ) from error
    frame.columns = [str(name) for name in frame.columns]
    repeated = sorted({name for name in frame if list(frame.columns).count(name) > 1})
    if repeated:
        raise UserError(f"{path} has several columns named {', '.join(repeated)}. Rename them.")
    return frame


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _parquet(path: Path) -> "DataFrame":
    import pandas as pd

    frame = pd.read_parquet(path)
    # An index with a name is a column that somebody moved there.
    return frame.reset_index(drop=frame.index.names == [None])


def _text(path: Path) -> "DataFrame":
    import pandas as pd

    header = _header(path)
    delimiter = max(DELIMITERS, key=header.count)
    if not header.count(delimiter):
        raise UserError(
            f"{path}: the first line is {header[:60]!r}, which names one column only. It must "
            "name all of them, with commas, semicolons, tabs or bars between them."
        )
    names = header.rstrip("\r\n").split(delimiter)
    if all(_is_number(name) for name in names):
        raise UserError(
            f"{path}: the first line holds numbers ({header[:40].strip()!r}), not the names of "
            "the columns. Put a line of names on top."
        )
    frames = [
        pd.read_csv(path, sep=delimiter, decimal=mark, encoding="utf-8-sig", low_memory=False)
        for mark in (".,")
        if mark == "." or delimiter == ";"
    ]
    # With semicolons between columns a comma may be the decimal mark.
    return max(frames, key=lambda frame: sum(dtype.kind in "if" for dtype in frame.dtypes))


def _header(path: Path) -> str:
    opened = gzip.open if _ends(path, ".gz") else open
    with opened(path, "rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise UserError(f"{path} is encoded in UTF-16. Save it as UTF-8.")
    with opened(path, "rt", encoding="utf-8-sig") as file:
        line = next(_filled(file), None)
    if line is None:
        raise UserError(f"{path} is empty. It must have a line of column names, then rows.")
    return line


def _filled(lines: Iterator[str]) -> Iterator[str]:
    return (line for line in lines if line.strip())


def _is_number(text: str) -> bool:
    try:
        float(text.strip().strip('"'))
        return True
    except ValueError:
        return False
