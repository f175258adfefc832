"""The training rows of a release and the rows it served, with the same columns and types."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops.config.params import Params
from mlops.errors import UserError
from mlops.monitor.drift import SAMPLE, DatedRows, Shift, shift
from mlops.monitor.log import Log
from mlops.releases.champion import Champion
from mlops.releases.release import Release
from mlops.releases.store import Store
from mlops.serving.answer import CLASSES, Answer
from mlops.statistics.histograms import is_day, is_number
from mlops.statistics.vectors import is_vector
from mlops.training import contract, partitions
from mlops.training.record import data_fingerprint

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series

SCORE, CLASS = "score", "class"


@dataclass(frozen=True)
class Reference:
    """The training rows of a release, as the team's `data` gives them now."""

    release: Release
    rows: DatedRows
    columns: contract.Columns
    # Whether they are byte for byte the rows that the release was trained on.
    unchanged: bool
    answer: Answer = Answer()

    def outcomes(self) -> set[float] | None:
        """Return the possible outcomes if training has at most two numbers, else None."""
        if self.answer.names:
            return None
        values = self.rows.frame[self.columns.targets[0]].dropna().unique()
        return {float(value) for value in values} if len(values) <= 2 else None

    def as_dict(self) -> dict[str, Any]:
        """Return the partitions and the number of rows as plain values."""
        return {
            "partitions": list(self.release.promoted.data.train),
            "rows": len(self.rows.days),
            "unchanged": self.unchanged,
        }


def reference(release: Release, params: Params) -> Reference:
    """Load the partitions that the release names; raises UserError where one is missing."""
    columns, data = contract.columns(params.gate.cluster), release.promoted.data
    train, holdout = (partitions.load(names) for names in (data.train, data.holdout))
    partitions.require(train.frame, columns, "training rows")
    days = train.frame[columns.time].dt.strftime("%Y-%m-%d").to_numpy(str)
    unchanged = data_fingerprint(train.fingerprint, holdout.fingerprint) == data.fingerprint
    return Reference(
        release, DatedRows(train.frame, days), columns, unchanged, _answer(release, params)
    )


def _answer(release: Release, params: Params) -> Answer:
    """Return what the release answers; without its bundle, what the team's code answers now."""
    try:
        return Answer.of_record(Champion(release).record(Store(params.store)))
    except UserError:
        return contract.answer()


def served(log: Log, days: list[str], trained: Reference) -> DatedRows:
    """Return the sampled rows of these days, with the types of the training rows.

    A column that no row has is left out.
    """
    import pandas as pd

    chosen = [features for row, features in log.sample if row.day in days]
    logged = set().union(*chosen)
    shared = [name for name in trained.columns.features if name in logged]
    frame = pd.DataFrame(
        {
            name: _like(trained.rows.frame[name], [features.get(name) for features in chosen])
            for name in shared
        }
    )
    return DatedRows(frame, _days(log, days))


def served_scores(log: Log, days: list[str], answer: Answer) -> DatedRows:
    """Return the scores of the sampled rows; apart, as a feature may be called `score` too."""
    import numpy as np

    scores = np.array([row.score for row, _ in log.sample if row.day in days], dtype=float)
    shape = answer.shape(len(scores))
    return DatedRows(_score_frame(scores.reshape(shape), answer), _days(log, days))


def _score_frame(scores: "np.ndarray", answer: Answer) -> "DataFrame":
    """Return the scores as columns that may drift: of classes, the likeliest one."""
    import numpy as np
    import pandas as pd

    if answer.kind == CLASSES:
        return pd.DataFrame({CLASS: np.array(answer.names, dtype=object)[scores.argmax(axis=1)]})
    names = answer.names or (SCORE,)
    return pd.DataFrame(scores.reshape(len(scores), -1), columns=list(names))


def _days(log: Log, days: list[str]) -> "np.ndarray":
    import numpy as np

    return np.array([row.day for row, _ in log.sample if row.day in days], dtype=str)


def _like(column: "Series", values: list[Any]) -> "Series":
    import numpy as np
    import pandas as pd

    if is_day(column):
        times = pd.Series(pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True))
        zone = column.dt.tz
        return times.dt.tz_convert(zone) if zone else times.dt.tz_localize(None)
    if is_vector(column):
        return pd.Series(values, dtype=object)
    if not is_number(column):
        return pd.Series(map(_category, values), dtype=object)
    numbers = pd.Series(map(_number, values), dtype=float)
    # A float32 of 0.7 differs from the 0.7 in a log.
    with np.errstate(over="ignore"):
        return numbers.astype(column.dtype) if column.dtype.kind == "f" else numbers


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _category(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else str(value)


def score_shift(trained: Reference, scores: DatedRows, params: Params) -> Shift:
    """Compare the served scores with the same bundle's scores of training rows.

    Of several outputs the one counts that moved most. Raises UserError when the bundle cannot be
    fetched or fails.
    """
    import numpy as np

    sample = trained.rows.sample(SAMPLE, np.random.default_rng(0))
    trained_scores = Champion(trained.release).score(sample.frame, Store(params.store))
    before = DatedRows(_score_frame(trained_scores, trained.answer), sample.days)
    return max((shift(name, before, scores) for name in before.frame), key=lambda one: one.times)
