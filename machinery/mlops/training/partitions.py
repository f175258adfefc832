"""The team's rows: which partitions are used, and what their rows must hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops.config.params import Params
from mlops.errors import UserError
from mlops.files import canonical, digest
from mlops.serving.answer import CLASSES
from mlops.training import contract

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame, Series


def target(frame: "DataFrame", columns: contract.Columns) -> "ndarray":
    """Return the outcomes as `train` and the metrics take them.

    Numbers (rows,); for classes their positions in CLASSES (rows,); for several columns (rows,
    columns). `require` has checked the values.
    """
    if len(columns.targets) > 1:
        return frame[list(columns.targets)].to_numpy()
    outcomes, of_model = frame[columns.targets[0]], contract.answer()
    if of_model.kind != CLASSES:
        return outcomes.to_numpy()
    positions = {name: position for position, name in enumerate(of_model.names)}
    return outcomes.map(contract.label).map(positions).to_numpy(dtype=int)


@dataclass(frozen=True)
class Split:
    """The partitions in use: those for training, and the later ones held out."""

    train: tuple[str, ...]
    holdout: tuple[str, ...]


def split(settings: Params) -> Split:
    """Select the partitions by `data:` in params.yaml; raises UserError if there are too few."""
    with contract.team_code("data.partitions"):
        names = list(contract.team_data().partitions())
    others = [name for name in names if not isinstance(name, str)]
    if others:
        raise UserError(
            f"data.partitions: {others[0]!r} is {type(others[0]).__name__}. The name of a "
            "partition is text, since files and branches are named after it: return str(name)."
        )
    first, last = settings.data.first, settings.data.last
    for key, name in (("data.first", first), ("data.last", last)):
        if name is not None and name not in names:
            raise UserError(
                f"params.yaml: {key} is {name!r}, which is not a partition. "
                f"There are {', '.join(names) or 'none'}. Name one of them, or null for the "
                f"{'oldest' if key == 'data.first' else 'newest'}."
            )
    start = names.index(first) if first else 0
    end = names.index(last) + 1 if last else len(names)
    used = names[start:end]
    if len(used) <= settings.data.holdout:
        raise UserError(
            f"params.yaml: data.holdout holds out {settings.data.holdout} of "
            f"{len(used)} partitions ({', '.join(used) or 'none'}), which leaves none to train on. "
            "Use an earlier data.first, a later data.last or a smaller data.holdout."
        )
    return Split(tuple(used[: -settings.data.holdout]), tuple(used[-settings.data.holdout :]))


@dataclass(frozen=True)
class Rows:
    """The rows of some partitions, oldest first, and the fingerprint of each partition."""

    frame: "DataFrame"
    fingerprints: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """One fingerprint of all partitions' fingerprints."""
        return digest(canonical(self.fingerprints))


def load(names: Sequence[str]) -> Rows:
    """Load partitions without validation; raises UserError if the team's loader fails."""
    import pandas as pd

    loaded = {name: _loaded(name) for name in names}
    first, *others = loaded
    for name in others:
        # pd.concat would silently fill a column that one lacks with missing values.
        differing = set(loaded[name][0].columns) ^ set(loaded[first][0].columns)
        if differing:
            raise UserError(
                f"The partitions {first} and {name} differ in the column(s) "
                f"{', '.join(sorted(map(str, differing)))}. `make check-data` shows which is wrong."
            )
    try:
        frame = pd.concat([frame for frame, _ in loaded.values()], ignore_index=True)
    except pd.errors.OutOfBoundsDatetime as error:
        raise UserError(
            f"The partitions {', '.join(loaded)} hold times of different units, and one is beyond "
            f"the range of the finest: {error}. In data.load use one unit, such as "
            '.astype("datetime64[us]"), and a missing value where a year 9999 means none.'
        ) from None
    return Rows(frame, {name: fingerprint for name, (_, fingerprint) in loaded.items()})


def _loaded(name: str) -> "tuple[DataFrame, str]":
    import pandas as pd

    with contract.team_code(f"data.load({name!r})"):
        loaded = contract.team_data().load(name)
    match loaded:
        case (pd.DataFrame() as frame, str()):
            _require_plain(frame, name)
            return loaded
    parts = loaded if isinstance(loaded, tuple) else (loaded,)
    raise UserError(
        f"data.load({name!r}) returned {', '.join(type(part).__name__ for part in parts)}. It "
        "must return the rows, a DataFrame, and the fingerprint of their bytes, a str "
        "(data/README.md)."
    )


def _require_plain(frame: "DataFrame", name: str) -> None:
    """Raise UserError for columns that share a name, or have a type of Arrow's."""
    import pandas as pd

    twice = sorted(set(map(str, frame.columns[frame.columns.duplicated()])))
    if twice:
        raise UserError(
            f"data.load({name!r}) returned the column(s) {', '.join(twice)} more than once. Drop "
            "or rename all but one."
        )
    arrow = [f"{n} ({d})" for n, d in frame.dtypes.items() if isinstance(d, pd.ArrowDtype)]
    if arrow:
        raise UserError(
            f"data.load({name!r}) returned columns with types of Arrow: {', '.join(arrow)}. The "
            "service gives model.predict plain Python values, unlike these. Leave out "
            '`dtype_backend="pyarrow"`, or convert them with .astype in data.load and data.SCHEMA.'
        )


def require(frame: "DataFrame", columns: contract.Columns, where: str) -> None:
    """Raise UserError if a frame lacks columns or rows, or a column does not fit its role."""
    roles = [("TIME", columns.time), *(("TARGET", name) for name in columns.targets)]
    roles += [("gate.cluster", columns.cluster)] if columns.cluster else []
    needed = dict.fromkeys((*columns.features, *(name for _, name in roles)))
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise UserError(
            f"{where}: the column(s) {', '.join(missing)} are missing; data.SCHEMA declares them. "
            f"Found {', '.join(map(str, frame.columns))}. `make check-data` shows details."
        )
    if frame.empty:
        raise UserError(f"{where}: there are no rows. `make check-data` shows details.")
    time = frame[columns.time].dtype
    if time.kind != "M":
        raise UserError(
            f"{where}: TIME names {columns.time}, which holds {time}. It must hold dates: "
            "pa.DateTime in data.SCHEMA, from pd.to_datetime in data.load."
        )
    for role, name in roles:
        _require_whole(frame[name], role, where)
    for name in columns.targets:
        _require_outcomes(frame[name], where)


def _require_outcomes(outcomes: "Series", where: str) -> None:
    """Raise UserError for outcomes that are neither numbers nor among the classes."""
    of_model = contract.answer()
    if of_model.kind == CLASSES:
        unknown = sorted(set(map(contract.label, outcomes.unique())) - set(of_model.names))
        if unknown:
            raise UserError(
                f"{where}: TARGET names {outcomes.name}, which holds {', '.join(unknown[:5])}; "
                f"model.CLASSES has {', '.join(of_model.names)}. Add the class, or leave those "
                "rows out in data.load."
            )
    elif outcomes.dtype.kind not in "biuf":
        raise UserError(
            f"{where}: TARGET names {outcomes.name}, which holds {outcomes.dtype}. It must hold "
            "numbers: 0 or 1 for no or yes, or amounts. For named classes set model.CLASSES "
            "(model/README.md)."
        )


def _require_whole(column: "Series", role: str, where: str) -> None:
    invalid = int((column.isna() | column.isin([float("inf"), float("-inf")])).sum())
    if invalid:
        other = ", or name another column in params.yaml" if role == "gate.cluster" else ""
        raise UserError(
            f"{where}: {role} names {column.name}, which is missing or infinite in {invalid:,} of "
            f"{len(column):,} rows. Every row needs one: in data.load fill it in or leave those "
            f"rows out{other}."
        )
