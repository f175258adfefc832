"""From a table and a few names to everything that the files of a fork are written from."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mlops.errors import UserError
from mlops.starting import cleaning, partitions
from mlops.starting import task as tasks
from mlops.starting.fields import FieldSpec, spec
from mlops.starting.partitions import Partitioning
from mlops.starting.suspects import LeftOut, Screening, screen
from mlops.starting.table import FEWEST_ROWS, SourceTable
from mlops.starting.task import Task

if TYPE_CHECKING:
    from pandas import DataFrame, Series

NO_TIME = "none"
MADE_UP = "made_up_day"
COMBINED = "date"
CALENDAR = ("year", "month", "day")
# A date column that was not named must have a value in nearly every row.
MOST_UNDATED = 0.05
LONGER_SPAN = 3
# Fewer groups than this support no interval.
FEWEST_HELD_OUT_DAYS = 8


@dataclass(frozen=True)
class Request:
    """What the user named: target columns, and optionally time, group, kind of answer and texts."""

    targets: tuple[str, ...]
    time: str | None = None
    group: str | None = None
    task: str | None = None
    text: bool = False


@dataclass(frozen=True)
class Roles:
    """The columns that are neither feature nor target.

    `time` orders the rows; `days` means that rows of one day depend on each other.
    """

    time: str
    group: str | None
    days: bool

    @property
    def cluster(self) -> str | None:
        """The column whose values group dependent rows."""
        return self.group or (self.time if self.days else None)


@dataclass(frozen=True)
class Inference:
    """What was seen in a table: `frame` has the columns in use, `changes` are remarks."""

    name: str
    frame: "DataFrame"
    task: Task
    roles: Roles
    screening: Screening
    partitioning: Partitioning
    changes: tuple[str, ...]

    @cached_property
    def features(self) -> tuple[FieldSpec, ...]:
        """The fields that the model sees."""
        return tuple(spec(self.frame[name]) for name in self.screening.features)

    @cached_property
    def fields(self) -> tuple[FieldSpec, ...]:
        """All fields of the schema."""
        fields = [FieldSpec(self.roles.time, "date")]
        if self.roles.group:
            whole = self.frame[self.roles.group].dtype.kind in "iu"
            fields.append(FieldSpec(self.roles.group, "whole" if whole else "text"))
        targets = [_target_field(self.frame[name], self.task) for name in self.task.targets]
        return (*fields, *self.features, *targets)


def infer(table: SourceTable, request: Request) -> Inference:
    """Return what is seen in a table; raises UserError where the request does not fit it."""
    frame, changes, unusable = _typed(table.frame, request)
    changes = [*table.remarks, *changes]
    frame, time = _timed(frame, request)
    named = (*request.targets, *filter(None, [request.group, time]))
    frame, complete = _complete(frame, named, changes)
    task = tasks.infer(frame, request.targets, request.task)
    if task.kind in ("amount", "amounts", "quantiles"):
        # An amount that happens to be whole in this table need not be so in the next one.
        frame = frame.astype(dict.fromkeys(task.targets, "float64"))
    if request.group:
        frame = frame.assign(**{request.group: _as_group(frame[request.group])})
    parts = None if table.parts is None else table.parts[complete].reset_index(drop=True)
    dates, group = (None if name is None else frame[name] for name in (time, request.group))
    partitioning = partitions.cut(frame, task, dates, group, parts)
    screening = screen(frame, task, named, dates, keep_text=request.text)
    screening = _with(screening, unusable)
    _require_features(screening)
    columns = [*filter(None, [time, request.group]), *screening.features, *task.targets]
    return Inference(
        _name(table.name, task),
        frame[columns],
        task,
        Roles(time or MADE_UP, request.group, _grouped_by_day(dates, partitioning)),
        screening,
        partitioning,
        tuple(changes),
    )


def _typed(
    frame: "DataFrame", request: Request
) -> "tuple[DataFrame, list[str], tuple[LeftOut, ...]]":
    """Return the frame with one type a column, what was changed, and columns that have none."""
    tasks.require_columns(frame, "TARGET", request.targets)
    group = [request.group] if request.group else []
    tasks.require_columns(frame, "GROUP", group)
    frame, remarks, unusable = cleaning.cleaned(frame)
    for name in (*request.targets, *group):
        if name in unusable:
            raise UserError(f"{name} cannot be used: {unusable[name]}.")
    changes = [f"{name}: {remark}" for name, remark in remarks.items()]
    return frame, changes, tuple(LeftOut(n, "unreadable", why) for n, why in unusable.items())


def _as_group(column: "Series") -> "Series":
    """Return a group as whole numbers or texts; a gap in another row made floats of it."""
    if column.dtype.kind in "iu" or column.dtype.kind == "f" and (column % 1 == 0).all():
        return column.astype("int64")
    return column.astype("str")


def _require_features(screening: Screening) -> None:
    if not screening.features:
        reasons = "; ".join(f"{one.column}: {one.reason}" for one in screening.left_out)
        raise UserError(f"No column is left to predict from. {reasons}")


def _name(source: str, task: Task) -> str:
    """Return a name for releases, such as houses-price."""
    parts = re.findall(r"[a-z0-9]+", f"{source} {task.targets[0]}".lower())
    name = "-".join(dict.fromkeys(parts))[:38].strip("-")
    return name if name[:1].isalpha() else f"model-{name}"[:38].strip("-")


def _timed(frame: "DataFrame", request: Request) -> "tuple[DataFrame, str | None]":
    """Return the frame with its time column as dates, and the column's name."""
    if request.time == NO_TIME and NO_TIME not in frame:
        return frame, None
    if request.time:
        tasks.require_columns(frame, "TIME", [request.time])
        column = cleaning.dates(frame[request.time], demanded=True)
        if column is None:
            _refuse_time(frame[request.time])
        return frame.assign(**{request.time: column}), request.time
    named = {*request.targets, request.group}
    dated = {
        name: column
        for name in frame
        if name not in named and (column := cleaning.dates(frame[name], demanded=False)) is not None
    }
    frame = frame.assign(**{n: c for n, c in dated.items() if frame[n].dtype.kind not in "iuf"})
    calendar = _calendar(frame, named)
    if calendar is not None:
        year = [name for name in frame if str(name).lower() == "year"]
        return frame.drop(columns=year).assign(**{COMBINED: calendar}), COMBINED
    fit = {name: column for name, column in dated.items() if _orders(column)}
    if not fit:
        return frame, None
    name = _earliest(fit)
    return frame.assign(**{name: fit[name]}), name


def _earliest(dated: "dict[str, Series]") -> str:
    """Return the earliest of several date columns: later ones may be known only afterwards.

    Dates that are spread over a much longer time are those of something else, such as births.
    """
    spans = {name: column.max() - column.min() for name, column in dated.items()}
    near = [name for name, span in spans.items() if span <= LONGER_SPAN * min(spans.values())]
    return min(near, key=lambda name: dated[name].median())


def _orders(column: "Series") -> bool:
    enough = column.dt.normalize().nunique() >= partitions.ACCEPTED
    return enough and column.isna().mean() <= MOST_UNDATED


def _calendar(frame: "DataFrame", named: set) -> "Series | None":
    """Return the dates that columns named year, month and perhaps day make together."""
    import pandas as pd

    names = {str(name).lower(): name for name in frame if name not in named}
    if not {"year", "month"} <= names.keys() or "date" in names:
        return None
    columns = {part: frame[names[part]] for part in CALENDAR if part in names}
    if any(column.dtype.kind not in "iuf" for column in columns.values()):
        return None
    dates = pd.to_datetime(pd.DataFrame({"day": 1} | columns), errors="coerce")
    return dates.astype("datetime64[us]") if _orders(dates) else None


def _refuse_time(column: "Series"):
    example = column.dropna().iloc[0] if column.notna().any() else "nothing"
    raise UserError(
        f"TIME names {column.name}, which holds {column.dtype} such as {example!r}: not all of "
        "them are dates. Dates look like 2024-05-31, 31.05.2024, 20240531 or 2024. Without TIME "
        "a date column is looked for; TIME=none is for rows without an order."
    )


def _complete(
    frame: "DataFrame", roles: tuple[str, ...], changes: list[str]
) -> "tuple[DataFrame, Series]":
    """Return the rows that have a target, a time and a group, and which rows those are."""
    complete = frame[list(roles)].notna().all(axis=1)
    for name in roles:
        if missing := int(frame[name].isna().sum()):
            rows = "1 row" if missing == 1 else f"{missing:,} rows"
            changes.append(f"{rows} without {name} {'was' if missing == 1 else 'were'} left out")
    if complete.sum() < FEWEST_ROWS:
        raise UserError(
            f"{complete.sum():,} rows have {', '.join(roles)}. At least {FEWEST_ROWS} are needed."
        )
    return frame[complete].reset_index(drop=True), complete.to_numpy()


def _with(screening: Screening, more: tuple[LeftOut, ...]) -> Screening:
    gone = {one.column for one in more}
    return Screening(
        tuple(name for name in screening.features if name not in gone),
        (*screening.left_out, *more),
        {name: value for name, value in screening.strength.items() if name not in gone},
        screening.measure,
        tuple(name for name in screening.texts if name not in gone),
    )


def _target_field(column: "Series", task: Task) -> FieldSpec:
    if task.kind == "binary":
        return FieldSpec(column.name, "whole", bounds=(0, 1))
    if task.kind == "classes":
        kind = "whole" if column.dtype.kind in "iuf" else "category"
        return FieldSpec(column.name, kind, values=task.labels)
    return spec(column)


def _grouped_by_day(dates: "Series | None", partitioning: Partitioning) -> bool:
    if dates is None or partitions.days_of(dates) is None:
        return False
    return dates[partitioning.held_out].dt.normalize().nunique() >= FEWEST_HELD_OUT_DAYS
