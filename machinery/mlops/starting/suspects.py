"""Columns that a model should not see: ids, constants, copies, leaks, dates and free texts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mlops.starting.task import Task
from mlops.statistics.leakage import strengths

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# One column alone that predicts better than this knows the outcome.
LEAK = {"auc": 0.99, "r2": 0.99}
# Better than this is worth a look.
STRONG = {"auc": 0.9, "r2": 0.8}
EXACT, SAME_ORDER = 0.99999, 0.999
STRONGEST = 8
# A copy of a label with a few errors agrees with it in so many rows, and makes at most a tenth of
# the errors that the commonest label makes.
AGREEMENT, FEWER_ERRORS = 0.97, 0.1
ID_NAME = re.compile(
    r"(?i)(^|_|\b)(id|ids|uuid|guid|key|index|unnamed: ?\d+|row|rownames?)($|_|\b)"
)
ID_SHARE = 0.95
# A text with more values than this share of the rows, or than this many, is no category.
MOST_CATEGORIES, CATEGORY_SHARE = 1000, 0.2
FREE_TEXT_WORDS, FREE_TEXT_SHARE = 3, 0.2
MOST_FEW = 30
MOSTLY_ONCE = 0.5
OFTEN_LATER, SELDOM_EARLIER = 0.5, 0.05
TITLES = {"auc": "AUC", "r2": "R2"}


@dataclass(frozen=True)
class LeftOut:
    """A column that is no feature, the kind of suspicion, and the figures behind it."""

    column: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Screening:
    """What is left as features, what is not, the strength of each feature, and free texts."""

    features: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    strength: dict[str, float]
    measure: str
    texts: tuple[str, ...] = ()

    @property
    def strong(self) -> dict[str, float]:
        """The features that predict suspiciously well but are kept, the strongest first."""
        most = STRONG[self.measure]
        chosen = {name: value for name, value in self.strength.items() if value > most}
        return dict(sorted(chosen.items(), key=lambda pair: -pair[1]))


def screen(
    frame: "DataFrame",
    task: Task,
    roles: tuple[str, ...],
    time: "Series | None",
    *,
    keep_text: bool = False,
) -> Screening:
    """Return the features of a frame; `roles` are columns with another role."""
    names = [name for name in frame if name not in roles]
    left_out = []
    for name in names:
        verdict = _alone(frame[name], time, keep_text)
        if verdict:
            left_out.append(LeftOut(name, *verdict))
    names = _rest(names, left_out)
    left_out += _copies(frame, names, task)
    names = _rest(names, left_out)
    strength, measure = strengths_of(frame, names, task)
    left_out += _leaks(strength, measure, task)
    names = _rest(names, left_out)
    left_out += _labels(frame, names, task)
    names = _rest(names, left_out)
    left_out += _sums(frame, names, task, strength)
    names = _rest(names, left_out)
    texts = tuple(name for name in names if keep_text and _is_free_text(frame[name]))
    finite = {name: strength[name] for name in names if np.isfinite(strength[name])}
    return Screening(tuple(names), tuple(left_out), finite, measure, texts)


def _rest(names: list[str], left_out: list[LeftOut]) -> list[str]:
    gone = {one.column for one in left_out}
    return [name for name in names if name not in gone]


def _alone(column: "Series", time: "Series | None", keep_text: bool) -> tuple[str, str] | None:
    """Return what speaks against a column by itself: the kind of suspicion and the reason."""
    values, rows = column.nunique(), len(column)
    if values < 2:
        return _single(column)
    if column.dtype.kind == "M":
        return _date(column, time)
    reason = None
    if _is_id(column):
        reason = "id", f"{values:,} different values in {column.notna().sum():,} rows"
    elif _is_free_text(column):
        text = "free text", f"{values:,} different texts; MODEL=text makes a model that reads them"
        reason = None if keep_text else text
    elif column.dtype.kind not in "biuf" and values > min(
        MOST_CATEGORIES, max(MOST_FEW, CATEGORY_SHARE * rows)
    ):
        reason = "id", f"{values:,} different texts in {rows:,} rows are too many for categories"
    return reason


def _single(column: "Series") -> tuple[str, str] | None:
    if not column.notna().any():
        return "empty", "it has no value in any row"
    value = column.dropna().iloc[:1].tolist()[0]
    return None if column.isna().any() else ("constant", f"it is {value!r} in every row")


def _date(column: "Series", time: "Series | None") -> tuple[str, str]:
    if time is not None:
        both = column.notna() & time.notna()
        seconds = (column[both] - time[both]).dt.total_seconds()
        later, earlier = float((seconds > 0).mean()), float((seconds < 0).mean())
        if later > OFTEN_LATER and earlier < SELDOM_EARLIER:
            return "known afterwards", f"it is later than {time.name} in {later:.0%} of the rows"
    return "date", "a date; the baseline takes numbers and texts, such as the days until then"


def _is_id(column: "Series") -> bool:
    present = column.dropna()
    if present.nunique() < ID_SHARE * len(present) or len(present) < len(column) / 2:
        return False
    if column.dtype.kind in "iu" or column.dtype.kind == "f" and (present % 1 == 0).all():
        dense = present.max() - present.min() < 2 * len(present)
        return bool(ID_NAME.search(str(column.name)) or dense and present.is_monotonic_increasing)
    return column.dtype.kind not in "biuf" and not _is_free_text(column)


def _is_free_text(column: "Series") -> bool:
    if column.dtype.kind in "biufM":
        return False
    present = column.dropna()
    count = present.head(1000).str.count(r"\s+").mean() + 1
    return bool(
        count > FREE_TEXT_WORDS
        and present.nunique() > max(MOST_FEW, FREE_TEXT_SHARE * len(present))
    )


def _copies(frame: "DataFrame", names: list[str], task: Task) -> Iterator[LeftOut]:
    """Yield columns that hold the same information as an earlier one, or as the target."""
    originals: dict[bytes, str] = {}
    for name in (*task.targets, *names):
        content = _content(frame[name])
        if content in originals and name not in task.targets:
            original = originals[content]
            kind = "leak" if original in task.targets else "copy"
            yield LeftOut(name, kind, f"each of its values stands for one value of {original}")
        originals.setdefault(content, name)


def _content(column: "Series") -> bytes:
    """Return what two columns have in common if each value of one stands for one of the other.

    Where most values occur once, that would be true by chance, so the values themselves count.
    """
    import pandas as pd

    if column.nunique() > MOSTLY_ONCE * len(column):
        return pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()
    return pd.factorize(column, use_na_sentinel=False)[0].tobytes()


def outcomes(frame: "DataFrame", task: Task) -> list[np.ndarray]:
    """Return the targets as numbers: a yes as 1, each class against the others, amounts."""
    if task.kind == "binary":
        return [(frame[task.targets[0]] == task.labels[1]).to_numpy(dtype=float)]
    if task.kind == "classes":
        return [(frame[task.targets[0]] == label).to_numpy(dtype=float) for label in task.labels]
    return [frame[name].to_numpy(dtype=float) for name in task.targets]


def strengths_of(frame: "DataFrame", names: list[str], task: Task) -> tuple[dict[str, float], str]:
    """Return how well each column alone predicts: the mean over classes or amounts."""
    results = [strengths(frame, tuple(names), one, None) for one in outcomes(frame, task)]
    table = {
        name: float(np.mean([_or_nan(one["strength"][name]) for one in results])) for name in names
    }
    if results[0]["measure"] == "r2":
        # Bins hide a copy with a little noise in few rows; a correlation does not.
        for name in [name for name in names if frame[name].dtype.kind in "iuf"]:
            squares = [_squared_correlation(frame[name], frame[target]) for target in task.targets]
            table[name] = float(np.fmax(table[name], np.mean(squares)))
    return table, results[0]["measure"]


def _squared_correlation(column: "Series", target: "Series") -> float:
    if column.notna().sum() < len(column) / 2 or column.nunique() < 2 or target.nunique() < 2:
        return float("nan")
    # Where the column is missing it explains nothing.
    square = max(column.corr(target, method=method) ** 2 for method in ("pearson", "spearman"))
    return float(square * column.notna().mean())


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _leaks(strength: dict[str, float], measure: str, task: Task) -> Iterator[LeftOut]:
    for name, value in strength.items():
        if value > LEAK[measure]:
            reason = (
                f"alone it predicts {task.target} nearly perfectly ({TITLES[measure]} {value:.3f})"
            )
            yield LeftOut(name, "leak", reason)


def _labels(frame: "DataFrame", names: list[str], task: Task) -> Iterator[LeftOut]:
    """Yield columns with as few values as there are labels, which are the label in most rows."""
    import pandas as pd

    for name in names if task.labels else ():
        if frame[name].nunique() > len(task.labels):
            continue
        codes = pd.factorize(frame[name], use_na_sentinel=False)[0]
        counts = pd.crosstab(codes, frame[task.targets[0]].to_numpy()).to_numpy()
        agreement = counts.max(axis=1).sum() / counts.sum()
        usual = counts.sum(axis=0).max() / counts.sum()
        if agreement >= AGREEMENT and 1 - agreement <= FEWER_ERRORS * (1 - usual):
            yield LeftOut(
                name, "leak", f"it stands for {task.target} in {agreement:.1%} of the rows"
            )


def _sums(
    frame: "DataFrame", names: list[str], task: Task, strength: dict[str, float]
) -> Iterator[LeftOut]:
    """Yield columns in the order of an amount, and two that give it exactly when added."""
    if task.kind not in ("amount", "quantiles"):
        return
    numbers = [name for name in names if frame[name].dtype.kind in "iuf"]
    numbers = sorted(numbers, key=lambda name: -np.nan_to_num(strength[name]))[:STRONGEST]
    target = frame[task.targets[0]]
    for name in list(numbers):
        if abs(frame[name].corr(target, method="spearman")) > SAME_ORDER:
            yield LeftOut(name, "leak", f"its values have the order of {task.target}")
            numbers.remove(name)
    for pair in combinations(numbers, 2):
        rows = frame[list(pair)].notna().all(axis=1)
        if rows.mean() > 0.5 and _fit(frame.loc[rows, list(pair)], target[rows]) > EXACT:
            for name, other in (pair, pair[::-1]):
                reason = f"together with {other} it gives {task.target} exactly"
                yield LeftOut(name, "leak", reason)
            return


def _fit(columns: "DataFrame", target: "Series") -> float:
    matrix = np.column_stack([np.ones(len(columns)), columns.to_numpy(dtype=float)])
    goal = target.to_numpy(dtype=float)
    weights = np.linalg.lstsq(matrix, goal, rcond=None)[0]
    return 1 - float(((matrix @ weights - goal) ** 2).sum() / ((goal - goal.mean()) ** 2).sum())
