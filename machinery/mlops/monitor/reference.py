"""The rows a release was trained on, and those it served, made comparable."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops.config.params import Params
from mlops.monitor.drift import SAMPLE, Rows, Shift, shift
from mlops.monitor.log import Log
from mlops.releases.champion import Champion
from mlops.releases.release import Release
from mlops.releases.store import Store
from mlops.statistics.drift import is_number
from mlops.training import contract
from mlops.training.record import data_fingerprint

if TYPE_CHECKING:
    import numpy as np
    from pandas import Series

SCORE = "score"


@dataclass(frozen=True)
class Reference:
    """The training rows of a release, as the team's `data` gives them now."""

    release: Release
    rows: Rows
    columns: contract.Columns
    # Whether they are, byte for byte, what the release was made from.
    unchanged: bool

    def outcomes(self) -> set[float] | None:
        """Return the outcomes there can be, where training knows but two; else None."""
        known = self.rows.frame[self.columns.target].dropna().unique()
        return {float(value) for value in known} if len(known) <= 2 else None

    def as_dict(self) -> dict[str, Any]:
        """Return which rows these are."""
        return {
            "partitions": list(self.release.promoted.data.train),
            "rows": len(self.rows.days),
            "unchanged": self.unchanged,
        }


def reference(release: Release, params: Params) -> Reference:
    """Load the partitions that the release names; raises UserError where one is gone."""
    columns, data = contract.columns(params.gate.cluster), release.promoted.data
    train, holdout = (contract.load(names) for names in (data.train, data.holdout))
    contract.require(train.frame, columns, "training rows")
    days = train.frame[columns.time].dt.strftime("%Y-%m-%d").to_numpy(str)
    found = data_fingerprint(train.fingerprint, holdout.fingerprint)
    return Reference(release, Rows(train.frame, days), columns, found == data.fingerprint)


def served(log: Log, days: list[str], trained: Reference) -> Rows:
    """Return the sampled rows of these days, with the types of training.

    A column that none of them has is left out.
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
    return Rows(frame, _days(log, days))


def answered(log: Log, days: list[str]) -> Rows:
    """Return the scores of the same rows; a feature may be called as they are."""
    import pandas as pd

    scores = [row.score for row, _ in log.sample if row.day in days]
    return Rows(pd.DataFrame({SCORE: scores}), _days(log, days))


def _days(log: Log, days: list[str]) -> "np.ndarray":
    import numpy as np

    return np.array([row.day for row, _ in log.sample if row.day in days], dtype=str)


def _like(column: "Series", values: list[Any]) -> "Series":
    import numpy as np
    import pandas as pd

    if not is_number(column):
        return pd.Series(map(_word, values), dtype=object)
    numbers = pd.Series(map(_number, values), dtype=float)
    # A float32 of 0.7 is another number than 0.7 in a log.
    with np.errstate(over="ignore"):
        return numbers.astype(column.dtype) if column.dtype.kind == "f" else numbers


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _word(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else str(value)


def score_shift(trained: Reference, scores: Rows, params: Params) -> Shift:
    """Compare what was answered with what the same bundle answers to training rows.

    Raises UserError when the bundle cannot be had or gives none.
    """
    import numpy as np
    import pandas as pd

    sample = trained.rows.sample(SAMPLE, np.random.default_rng(0))
    given = Champion(trained.release).score(sample.frame, Store(params.store))
    return shift(SCORE, Rows(pd.DataFrame({SCORE: given}), sample.days), scores)
