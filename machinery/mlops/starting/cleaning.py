"""Give each column of a raw table one type: number, whole number, flag, text or date."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# A number column may spell a missing value in a few ways that pandas does not know.
MOST_SPELLINGS = 3
MOST_MISSPELT = 0.2
MISSING_TEXTS = ("", "?", "-", "--", ".")
WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
LARGEST = 2**63 - 1
# Longer digits are no number that anybody counts with; Python reads up to 4,300.
LONGEST_WHOLE = 4000
YEARS = (1800, 2200)
DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? +\d{4})([ T]\d.*)?\s*"
)
DAY_FIRST = re.compile(r"\s*(\d{1,2})[-/.]\d{1,2}[-/.]\d{2,4}")
CHECKED = 1000


def cleaned(frame: "DataFrame") -> "tuple[DataFrame, dict[str, str], dict[str, str]]":
    """Return the frame with one type for each column, and two sets of remarks by column.

    The first states what was changed, the second why a column cannot be used and was dropped.
    """
    import pandas as pd

    columns, changed, unusable = {}, {}, {}
    for name in frame.columns:
        try:
            columns[name], remark = _cleaned(frame[name])
        except OverflowError:
            unusable[name] = "its whole numbers are too large for 64 bits"
            continue
        except (TypeError, ValueError):
            unusable[name] = f"its values are {type(frame[name].dropna().iloc[0]).__name__}s"
            continue
        if remark:
            changed[name] = remark
    return pd.DataFrame(columns), changed, unusable


def _cleaned(column: "Series") -> "tuple[Series, str]":
    from pandas.api import types

    dtype = column.dtype
    if types.is_datetime64_any_dtype(dtype):
        return _without_zone(column), ""
    if types.is_timedelta64_dtype(dtype):
        return column.dt.total_seconds(), "a duration, in seconds"
    if types.is_bool_dtype(dtype) or _are(column, bool):
        return _flags(column)
    return _numbers(column) if types.is_numeric_dtype(dtype) else _from_objects(column)


def _flags(column: "Series") -> "tuple[Series, str]":
    if not column.isna().any():
        return column.astype(bool), ""
    numbers = column.astype("boolean").astype("Float64")
    return numbers.astype("float64"), "true is 1, false is 0"


def _numbers(column: "Series") -> "tuple[Series, str]":
    import numpy as np
    from pandas.api import types

    if types.is_unsigned_integer_dtype(column.dtype) and column.max() > LARGEST:
        raise OverflowError
    if types.is_integer_dtype(column.dtype) and not column.isna().any():
        return column.astype("int64"), ""
    numbers = column.astype("float64")
    infinite = int(np.isinf(numbers).sum())
    remark = f"{infinite:,} infinite values count as missing" if infinite else ""
    return numbers.replace([np.inf, -np.inf], np.nan), remark


def _are(column: "Series", kind: type) -> bool:
    return column.dtype == object and all(isinstance(one, kind) for one in column.dropna())


def _without_zone(column: "Series") -> "Series":
    zone = getattr(column.dt, "tz", None)
    column = column.dt.tz_convert("UTC").dt.tz_localize(None) if zone else column
    return column.astype("datetime64[us]")


def _from_objects(column: "Series") -> "tuple[Series, str]":
    import datetime
    import decimal

    import pandas as pd

    if _are(column, datetime.date):
        return pd.to_datetime(column).astype("datetime64[us]"), ""
    if any(map(_is_too_large, column.dropna())) and all(map(_is_whole, column.dropna())):
        raise OverflowError
    if _are(column, (int, float, decimal.Decimal)) and column.notna().any():
        return column.astype("float64"), ""
    if column.notna().any() and not all(isinstance(v, (str, int, float)) for v in column.dropna()):
        raise TypeError
    text = column.where(column.isna(), column.astype(str)).astype("str")
    text = text.mask(text.str.strip().isin(MISSING_TEXTS))
    return _number(text) or (text, "")


def _is_too_large(value: object) -> bool:
    """Return whether a value is a whole number, as text or not, that 64 bits cannot hold."""
    if isinstance(value, str):
        value = int(value) if 19 <= len(value) <= LONGEST_WHOLE and WHOLE.fullmatch(value) else 0
    return isinstance(value, int) and abs(value) > LARGEST


def _is_whole(value: object) -> bool:
    return isinstance(value, int) or isinstance(value, str) and bool(WHOLE.fullmatch(value))


def _number(text: "Series") -> "tuple[Series, str] | None":
    """Return the numbers in a text column whose other values are a few spellings of missing."""
    import pandas as pd

    numbers = pd.to_numeric(text, errors="coerce")
    strays = text[numbers.isna() & text.notna()]
    many = numbers.notna().sum() > max(len(text) * (1 - MOST_MISSPELT) - text.isna().sum(), 0)
    if not numbers.notna().any() or not many or strays.nunique() > MOST_SPELLINGS:
        return None
    if strays.empty and _keeps_zeros(text):
        return None
    remark = f"{', '.join(map(repr, strays.unique()))} counts as missing" if len(strays) else ""
    return numbers.astype("float64"), remark


def _keeps_zeros(text: "Series") -> bool:
    """Return whether texts of digits begin with 0, as codes do and numbers do not."""
    return bool(text.str.fullmatch(r"0\d+").any())


def dates(column: "Series", *, demanded: bool) -> "Series | None":
    """Return a column as dates, None if it holds none.

    Whole numbers such as 2013 or 20130131 are dates only if they are `demanded`, or the column's
    name is that of a date.
    """
    import pandas as pd

    if column.dtype.kind == "M":
        return column
    if column.dtype.kind in "iuf":
        named = re.search(r"(?i)(^|_|\b)(date|day|year|yr|month)($|_|\b)", str(column.name))
        return _dates_in_numbers(column) if demanded or named else None
    sample = column.dropna().drop_duplicates().head(CHECKED)
    if column.dtype.kind == "b" or sample.empty or not all(map(DATE.fullmatch, sample)):
        return None
    first = (int(match[1]) for match in map(DAY_FIRST.match, sample) if match)
    parsed = pd.to_datetime(
        column, errors="coerce", format="mixed", dayfirst=max(first, default=0) > 12, utc=True
    )
    if parsed.isna().sum() > column.isna().sum():
        return None
    return _without_zone(parsed)


def _dates_in_numbers(column: "Series") -> "Series | None":
    import pandas as pd

    numbers = column.dropna()
    if numbers.empty or (numbers % 1 != 0).any():
        return None
    for digits, form in ((4, "%Y"), (6, "%Y%m"), (8, "%Y%m%d")):
        scale = 10 ** (digits - 4)
        if (numbers // scale).between(*YEARS).all():
            texts = column.map(lambda number: f"{number:.0f}", na_action="ignore")
            parsed = pd.to_datetime(texts, format=form, errors="coerce")
            return None if parsed.isna().sum() > column.isna().sum() else _without_zone(parsed)
    return None
