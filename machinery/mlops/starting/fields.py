"""The features of a table: what the schema allows in each, in terms that the service can check."""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import Series

# Longer lists of categories, and rare ones (params.yaml: privacy.min_rows), become a pattern or a
# length, since the service publishes a list.
MOST_LISTED, FEWEST_OF_A_CATEGORY, LONGEST_LISTED = 30, 10, 60
# A range is wider than what was seen by this share of it, on each side.
SLACK = 0.5
SHAPES = (
    r"^[A-Z]{%d}$",
    r"^[0-9]{%d}$",
    r"^[A-Z0-9]{%d}$",
    r"^[a-z]{%d}$",
)


@dataclass(frozen=True)
class FieldSpec:
    """One column of the schema: its type, and the range, categories or pattern of its values."""

    name: str
    kind: str  # number, whole, flag, category, text or date
    nullable: bool = False
    bounds: tuple[float, float] | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    longest: int | None = None

    @property
    def is_number(self) -> bool:
        """Whether the model takes it as a number."""
        return self.kind in ("number", "whole", "flag")

    @property
    def code(self) -> str:
        """The pandera column, as Python code."""
        types = {"number": "float", "whole": "int", "flag": "bool", "date": "pa.DateTime"}
        arguments = [types.get(self.kind, "str"), self._check()]
        arguments += ["nullable=True"] if self.nullable else []
        arguments += [f"description={_words(self.name)!r}"]
        return f"pa.Column({', '.join(filter(None, arguments))})"

    def _check(self) -> str:
        if self.values:
            return f"pa.Check.isin({list(self.values)!r})"
        if self.pattern:
            return f"pa.Check.str_matches({_raw(self.pattern)})"
        if self.longest:
            return f"pa.Check.str_length(1, {self.longest})"
        if self.bounds:
            return f"pa.Check.in_range({', '.join(map(_number, self.bounds))})"
        return ""


def _raw(pattern: str) -> str:
    return 'r"' + pattern.replace('"', '\\"') + '"'


def _number(value: float) -> str:
    return f"{int(value)}" if float(value).is_integer() and abs(value) < 1e15 else f"{value!r}"


def _words(name: str) -> str:
    """Return a name as words, short enough for a line."""
    return re.sub(r"[_\s]+", " ", name).strip()[:60] or name


def spec(column: "Series") -> FieldSpec:
    """Return the specification of a cleaned column."""
    nullable = bool(column.isna().any())
    kind = column.dtype.kind
    if kind == "b":
        return FieldSpec(column.name, "flag")
    if kind == "M":
        return FieldSpec(column.name, "date")
    if kind in "iuf":
        bounds = wider(float(column.min()), float(column.max()))
        return FieldSpec(column.name, "whole" if kind in "iu" else "number", nullable, bounds)
    return _text(column, nullable)


def wider(low: float, high: float) -> tuple[float, float]:
    """Return a range with slack, in round numbers; it crosses 0 only if the values do.

    A share stays between 0 and 1.
    """
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    slack = SLACK * (high - low or abs(high) or 1.0)
    unit = 10 ** math.floor(math.log10(slack))
    least, most = math.floor((low - slack) / unit) * unit, math.ceil((high + slack) / unit) * unit
    least = 0.0 if low >= 0 > least else least
    most = 0.0 if high <= 0 < most else most
    return float(f"{least:.12g}"), float(f"{most:.12g}")


def _text(column: "Series", nullable: bool) -> FieldSpec:
    counts = column.value_counts()
    values = tuple(sorted(counts.index))
    longest = max(map(len, values))
    if (
        len(values) <= MOST_LISTED
        and counts.min() >= FEWEST_OF_A_CATEGORY
        and longest <= LONGEST_LISTED
    ):
        return FieldSpec(column.name, "category", nullable, values=values)
    lengths = {len(value) for value in values}
    if len(lengths) == 1 and longest <= 10:
        for shape in (shape % longest for shape in SHAPES):
            if all(re.match(shape, value) for value in values):
                return FieldSpec(column.name, "text", nullable, pattern=shape)
    return FieldSpec(column.name, "text", nullable, longest=2 * longest)
