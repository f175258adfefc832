"""Cut the rows into partitions, oldest first, and choose which are held out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlops.errors import UserError
from mlops.starting.task import Task

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# The first unit that gives 6 to 24 partitions with enough rows is taken, else one with 3 to 24.
UNITS = {"month": "M", "week": "W", "quarter": "Q", "year": "Y", "day": "D"}
WANTED, ACCEPTED, MOST = 6, 3, 24
USUAL_ROWS, FEWEST_ROWS = 50, 20
SPANS = 12
# Without dates: blocks of rows, two in eight of them held out.
BLOCKS, FEWEST_BLOCKS, BLOCK_ROWS = 8, 4, 25
# A first or last partition with fewer rows than this share of the usual is not whole.
WHOLE = 0.5
HELD_OUT_ROWS, HELD_OUT_SHARE, HELD_OUT_GROUPS = 1000, 0.2, 20
RARE_ROWS = 5
FEWEST_DAYS, MOST_DAYS_ROWS = 60, 0.8
SEED = 0


@dataclass(frozen=True)
class Partitioning:
    """The partition of each row, what a partition is, and which of them are used and held out.

    `made_up` means that the rows have no order of their own.
    """

    of_row: "Series"
    unit: str
    made_up: bool = False
    first: str | None = None
    last: str = ""
    holdout: int = 1

    @property
    def names(self) -> list[str]:
        """The names of all partitions, oldest first."""
        return sorted(self.of_row.unique())

    @property
    def used(self) -> list[str]:
        """The names of the partitions in use."""
        return [name for name in self.names if (self.first or "") <= name <= self.last]

    @property
    def held_out(self) -> "Series":
        """Whether each row is held out."""
        return self.of_row.isin(self.used[-self.holdout :])

    @property
    def trained_on(self) -> "Series":
        """Whether each row is trained on."""
        return self.of_row.isin(self.used[: -self.holdout])


def cut(
    frame: "DataFrame",
    task: Task,
    time: "Series | None",
    group: "Series | None",
    parts: "Series | None",
) -> Partitioning:
    """Return the partitioning by files, by time, or into blocks at random."""
    if parts is not None and parts.nunique() > 1 and not _overlapping(parts, time):
        partitioning = _files(parts, time)
    elif time is not None:
        partitioning = _periods(time)
    else:
        partitioning = _blocks(frame, task, group)
    return _with_holdout(partitioning, frame, task, group if group is not None else days_of(time))


def days_of(time: "Series | None") -> "Series | None":
    """Return the day of each row if days group the rows, None if there are too few days for that.

    Rows of one day depend on each other; where nearly each row has a day of its own, none do.
    """
    if time is None:
        return None
    days = time.dt.normalize()
    count = days.nunique()
    return days if MOST_DAYS_ROWS * len(days) > count >= FEWEST_DAYS else None


def _overlapping(parts: "Series", time: "Series | None") -> bool:
    """Return whether files share a span of time, so that none is later than another."""
    if time is None:
        return False
    spans = time.groupby(parts).agg(["min", "max"]).sort_values("min")
    return bool((spans["min"].iloc[1:].to_numpy() <= spans["max"].iloc[:-1].to_numpy()).any())


def _files(parts: "Series", time: "Series | None") -> Partitioning:
    names = sorted(parts.unique())
    if time is not None:
        ordered = time.groupby(parts).min().sort_values().index.tolist()
        if ordered != names:
            width = len(str(len(ordered)))
            parts = parts.map({n: f"{i:0{width}}-{n}" for i, n in enumerate(ordered, 1)})
    return Partitioning(parts, "file", time is None, last=max(parts.unique()))


def _periods(time: "Series") -> Partitioning:
    days = time.dt.normalize()
    if days.nunique() < ACCEPTED:
        raise UserError(
            f"TIME names {time.name}, which has {days.nunique()} different day(s). At least "
            f"{ACCEPTED} are needed to train on the past and judge on what came after. Leave TIME "
            "out if the rows have no order (TIME=none)."
        )
    periods = {unit: days.dt.to_period(frequency) for unit, frequency in UNITS.items()}
    # Of dates that are years, each month and each quarter is a year.
    years = periods["year"].nunique()
    coarse = [unit for unit in UNITS if unit == "year" or periods[unit].nunique() > years]
    for least in (WANTED, ACCEPTED):
        for unit in coarse:
            names = periods[unit].map(_namer(unit)).astype("str")
            counts = names.value_counts().sort_index()
            inner = counts.iloc[1:-1].min()
            if (
                least <= len(counts) <= MOST
                and counts.median() >= USUAL_ROWS
                and inner >= FEWEST_ROWS
            ):
                return _whole(Partitioning(names, unit), counts)
    return _spans(days)


def _namer(unit: str):
    def name(period) -> str:
        if unit == "week":
            year, week, _ = period.start_time.isocalendar()
            return f"{year}-W{week:02}"
        return str(period).replace("Q", "-Q")

    return name


def _whole(partitioning: Partitioning, counts: "Series") -> Partitioning:
    """Leave out a first or last partition that has begun late or is not over yet."""
    names, least = list(counts.index), WHOLE * counts.median()
    spare = len(names) > ACCEPTED
    first = names[1] if spare and counts.iloc[0] < least else None
    last = names[-2] if spare and counts.iloc[-1] < least else names[-1]
    return replace(partitioning, first=first, last=last)


def _spans(days: "Series") -> Partitioning:
    """Cut between days, into spans with about as many rows."""
    counts = days.value_counts().sort_index()
    number = int(np.clip(len(days) // USUAL_ROWS, ACCEPTED, SPANS))
    before = counts.cumsum().shift(fill_value=0)
    span = (before * number // len(days)).astype(int)
    begin = {index: day for day, index in reversed(list(span.items()))}
    names = days.map(span).map(begin).dt.strftime("%Y-%m-%d").rename("partition")
    return Partitioning(names, "span of days", last=names.max())


def _blocks(frame: "DataFrame", task: Task, group: "Series | None") -> Partitioning:
    """Deal rows, or whole groups, into blocks at random; each gets its share of every class."""
    import pandas as pd

    random = np.random.default_rng(SEED)
    rows = len(frame)
    number = int(np.clip(rows // BLOCK_ROWS, FEWEST_BLOCKS, BLOCKS))
    if group is not None:
        codes, _ = pd.factorize(group)
        block = (random.permutation(codes.max() + 1) % number)[codes]
    else:
        order = random.permutation(rows)
        if task.kind in ("binary", "classes"):
            labels = pd.factorize(frame[task.targets[0]])[0][order]
            order = order[np.argsort(labels, kind="stable")]
        block = np.empty(rows, dtype=int)
        block[order] = np.arange(rows) % number
    width = len(str(number))
    names = [f"block-{index + 1:0{width}}" for index in block]
    return Partitioning(pd.Series(names, index=frame.index), "block of rows", True, last=max(names))


def _with_holdout(
    partitioning: Partitioning, frame: "DataFrame", task: Task, cluster: "Series | None"
) -> Partitioning:
    """Hold out as few of the newest partitions as are enough to judge by, at most a third."""
    most = max(1, len(partitioning.used) // 3)
    if len(partitioning.used) < 2:
        raise UserError(
            "All rows are in one partition, which leaves none to train on. Leave TIME or GROUP out."
        )
    options = (replace(partitioning, holdout=count) for count in range(1, most + 1))
    return next(_enough(options, frame, task, cluster), replace(partitioning, holdout=most))


def _enough(
    options: Iterator[Partitioning], frame: "DataFrame", task: Task, cluster: "Series | None"
) -> Iterator[Partitioning]:
    for option in options:
        rows = frame[option.held_out]
        groups = HELD_OUT_GROUPS
        if cluster is not None:
            groups = cluster[option.held_out].nunique()
        if len(rows) < min(HELD_OUT_ROWS, HELD_OUT_SHARE * len(frame)) or groups < HELD_OUT_GROUPS:
            continue
        if task.labels:
            counts = rows[task.targets[0]].value_counts()
            if len(counts) < len(task.labels) or counts.min() < RARE_ROWS:
                continue
        yield option
