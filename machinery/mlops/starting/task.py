"""What is to be predicted: a yes or no, a class, an amount, or several amounts."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pandas import DataFrame, Series

KINDS = ("binary", "classes", "amount", "quantiles")
# Whole numbers with more values than this are amounts, texts with more are no classes.
MOST_NUMBERED_CLASSES = 10
MOST_CLASSES = 50
FEWEST_OF_A_CLASS = 10
# Texts are numbers with a few other characters, such as a currency, if nearly all become numbers.
MOST_NUMBERS, MOST_REMOVED = 0.95, 5
# Of two texts, the one that counts as 1; without any of them it is the rarer one.
YES = ("1", "yes", "y", "true", "t", "positive", "late", "up", "malignant")


@dataclass(frozen=True)
class Task:
    """The target columns and the kind of answer; `labels` are the values of a binary or class.

    `reason` is the sentence that explains the choice to the user.
    """

    kind: str
    targets: tuple[str, ...]
    reason: str
    labels: tuple[Any, ...] = ()

    @property
    def target(self) -> str:
        """The names of the targets, as one text."""
        return ", ".join(self.targets)

    @property
    def mapped(self) -> bool:
        """Whether `data.load` converts two values to 0 and 1."""
        return self.kind == "binary" and self.labels not in ((0, 1), (False, True))


def matching(names: Sequence[str], frame: "DataFrame") -> tuple[str, ...]:
    """Return the names of columns, a pattern such as h[0-9]* replaced by those that match it."""
    columns = [str(name) for name in frame]
    lists = [
        [name] if name in columns else fnmatch.filter(columns, name) or [name] for name in names
    ]
    return tuple(dict.fromkeys(name for names in lists for name in names))


def require_columns(frame: "DataFrame", option: str, names: Sequence[str]) -> None:
    """Raise UserError if an option names a column that the table lacks."""
    for name in names:
        if name not in frame:
            raise UserError(
                f"{option} names the column {name!r}, which the table does not have. It has "
                f"{', '.join(frame)}.{did_you_mean(name, frame)}"
            )


def infer(frame: "DataFrame", targets: tuple[str, ...], demanded: str | None = None) -> Task:
    """Return the task of these target columns; `demanded` overrules what their values suggest."""
    if demanded not in (None, *KINDS):
        raise UserError(f"--task is {demanded!r}. Give one of {', '.join(KINDS)}.")
    for name in targets:
        _require_two_values(frame[name])
    if len(targets) > 1:
        return _several(frame, targets, demanded)
    column = frame[targets[0]]
    kind = demanded or _kind(column)
    if kind in ("amount", "quantiles"):
        return _amount(column, kind)
    return (_binary if kind == "binary" else _classes)(column)


def _require_two_values(column: "Series") -> None:
    if column.dtype.kind == "M":
        raise UserError(
            f"TARGET names {column.name}, which holds dates. Predict a number instead, such as the "
            "days until then."
        )
    if column.nunique() < 2:
        raise UserError(
            f"TARGET names {column.name}, which is {plain(column.iloc[0])!r} in every row that has "
            "it. There is nothing to learn from one value."
        )


def plain(value: Any) -> Any:
    """Return a value of numpy as Python's own, which is printed without its type."""
    return value.item() if hasattr(value, "item") else value


def _removable(column: "Series") -> str:
    """Return which characters keep texts such as "$ 1,825.00" from being numbers."""
    import pandas as pd

    if column.dtype.kind in "biuf":
        return ""
    texts = column.astype("str")
    numbers = pd.to_numeric(texts.str.replace(r"[^0-9.\-]", "", regex=True), errors="coerce")
    if numbers.notna().mean() < MOST_NUMBERS:
        return ""
    others = sorted(set("".join(texts)) - set("0123456789.-"))
    if not others or any(other.isalpha() for other in others) and len(others) > MOST_REMOVED:
        return ""
    listed = ", ".join(map(repr, others))
    return f" Its values are numbers without the character(s) {listed}: remove them."


def _several(frame: "DataFrame", targets: tuple[str, ...], demanded: str | None) -> Task:
    for name in targets:
        if frame[name].dtype.kind not in "iuf" or demanded not in (None, "amount"):
            raise UserError(
                f"TARGET names {len(targets)} columns, which must all be amounts; {name} holds "
                f"{frame[name].dtype}. Name one column, or make one fork for each."
            )
    return Task("amounts", targets, f"{len(targets)} amounts for each row")


def _kind(column: "Series") -> str:
    values = column.unique()
    if column.dtype.kind == "b" or len(values) == 2:
        return "binary"
    if column.dtype.kind not in "iuf":
        return "classes"
    whole = bool((column % 1 == 0).all())
    few = len(values) <= MOST_NUMBERED_CLASSES and column.max() - column.min() < 2 * len(values)
    return "classes" if whole and few else "amount"


def _binary(column: "Series") -> Task:
    values = sorted(column.unique().tolist())
    if len(values) != 2:
        raise UserError(f"{column.name} has {len(values)} values. A binary target has two.")
    no, yes = values
    if column.dtype.kind not in "biuf" and str(no).strip().lower() in YES:
        no, yes = yes, no
    elif column.dtype.kind not in "biuf" and str(yes).strip().lower() not in YES:
        yes, no = column.value_counts().index[[-1, 0]]
    share = (column == yes).mean()
    return Task(
        "binary",
        (column.name,),
        f"yes or no: the probability of {yes!r}, true of {share:.0%} of the rows",
        (no, yes),
    )


def _classes(column: "Series") -> Task:
    counts = column.value_counts()
    if len(counts) > MOST_CLASSES:
        raise UserError(
            f"TARGET names {column.name}, which holds {len(counts):,} different values, such as "
            f"{plain(counts.index[0])!r}. Up to {MOST_CLASSES} make classes; an amount must be a "
            f"number.{_removable(column)}"
        )
    if counts.iloc[-1] < FEWEST_OF_A_CLASS:
        raise UserError(
            f"TARGET names {column.name}, whose class {plain(counts.index[-1])!r} has "
            f"{counts.iloc[-1]} "
            f"rows. A class needs at least {FEWEST_OF_A_CLASS}: join it with another one, leave "
            'its rows out, or predict an amount (ARGS="--task amount").'
        )
    labels = tuple(
        int(label) if column.dtype.kind in "iuf" else label for label in sorted(counts.index)
    )
    return Task("classes", (column.name,), f"one of {len(labels)} classes", labels)


def _amount(column: "Series", kind: str) -> Task:
    if column.dtype.kind not in "biuf":
        raise UserError(
            f"{column.name} holds {column.dtype}. An amount must be a number."
            f"{_removable(column)}"
        )
    what = "quantiles of an amount" if kind == "quantiles" else "an amount"
    return Task(kind, (column.name,), f"{what}, from {column.min():g} to {column.max():g}")
