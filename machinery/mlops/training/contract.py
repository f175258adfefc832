"""The contract with the team's code; the only module that imports `data` and `model`.

`data` provides SCHEMA (a strict pandera DataFrameSchema), TARGET (a column, or a tuple of columns)
and TIME (a column), optionally GROUP (a column), SLICES and TEXT (columns),
`partitions() -> names, oldest first` and `load(name) -> (frame, fingerprint)`.

`model` provides Params (a pydantic model), METRICS,
`train(frame, target, params, *, device, threads, seed) -> model`, `save(model, folder)`,
`load(folder) -> model`, `predict(model, columns) -> scores` and optionally
`trained_on(model) -> device`, THRESHOLD, the least score that predicts a 1 (0.5 by default),
FRAME = True, by which `predict` gets a DataFrame in the service too, not a dict of lists, and
`to_onnx(model, folder)`, which writes model.onnx where skl2onnx cannot.

One of these gives a row several scores: CLASSES in `model`, the values of the target (`train` gets
their positions, `predict` returns a probability for each); QUANTILES in `model`, ascending shares
between 0 and 1; a tuple of columns as TARGET.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mlops.config.params import Params, load_params
from mlops.errors import UserError, did_you_mean
from mlops.files import canonical, digest
from mlops.serving.answer import CLASSES, OUTPUTS, QUANTILES, Answer
from mlops.serving.frames import column_types, with_frames
from mlops.training import skops_file

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame, Series
    from pandera.pandas import DataFrameSchema

    from mlops.statistics.metrics import Metric

DATA = ("SCHEMA", "TARGET", "TIME", "partitions", "load")
MODEL = ("Params", "METRICS", "train", "save", "load", "predict")
SEVERAL = "model.CLASSES, model.QUANTILES, or a tuple of columns as data.TARGET (model/README.md)."


def team_model() -> ModuleType:
    """Import the team's `model` package and check that it has the names of the contract."""
    return _import("model", MODEL)


def team_data() -> ModuleType:
    """Import the team's `data` package and check that it has the names of the contract."""
    return _import("data", DATA)


def schema() -> "DataFrameSchema":
    """Return the team's data.SCHEMA; raises UserError if it is of another kind."""
    from pandera.pandas import DataFrameSchema

    declared = team_data().SCHEMA
    if not isinstance(declared, DataFrameSchema):
        remedy = (
            "SCHEMA = YourModel.to_schema()" if hasattr(declared, "to_schema") else "data/README.md"
        )
        raise UserError(
            f"data.SCHEMA is {declared!r}. It must be a pandera DataFrameSchema: {remedy}."
        )
    return declared


def params() -> Params:
    """Read params.yaml, its `model:` section as the team's Params."""
    declared = team_model().Params
    if not (isinstance(declared, type) and issubclass(declared, BaseModel)):
        raise UserError(
            f"model.Params is {declared!r}. It must be a subclass of pydantic's BaseModel, "
            "with a field for each key below `model:` in params.yaml (model/README.md)."
        )
    return load_params(declared)


def _import(name: str, required: Sequence[str]) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        remedy = "Run this in the repository's root."
        if (error.name or name).partition(".")[0] != name:
            remedy = "`make setup`, or add its package to pyproject.toml and `make lock`."
        elif error.name != name:
            remedy = f"Add that module to {name}/, or correct the import."
        raise UserError(f"{name}/ cannot be imported: {error}. {remedy}") from None
    # A name in __all__ may be imported lazily, so it is not accessed here.
    available = {*dir(module), *getattr(module, "__all__", ())}
    missing = [one for one in required if one not in available]
    if missing:
        raise UserError(
            f"{name}/__init__.py lacks {', '.join(missing)}. The contract in "
            f"machinery/mlops/training/contract.py requires {', '.join(required)}."
        )
    return module


@contextmanager
def team_code(function: str) -> Iterator[None]:
    """Turn a ValueError of the team's code into a UserError that names the function called.

    A TypeError too, if the call itself fails because the signature differs.
    """
    try:
        yield
    except ValueError as error:
        raise UserError(f"{function}: {error}") from error
    except TypeError as error:
        *_, (innermost, _) = walk_tb(error.__traceback__)
        if innermost.f_globals.get("__name__", "").partition(".")[0] != "mlops":
            raise
        raise UserError(
            f"{function}: {error}. machinery/mlops/training/contract.py has its arguments "
            "and its return value."
        ) from error


@dataclass(frozen=True)
class Columns:
    """The roles of the columns of the team's data."""

    features: tuple[str, ...]
    targets: tuple[str, ...]
    time: str
    cluster: str | None
    slices: tuple[str, ...]
    # Free texts, which are no categories and never quoted.
    text: tuple[str, ...] = ()


def columns(gate_cluster: str | None) -> Columns:
    """Return the roles of the columns: all but target, time and group are features."""
    data = team_data()
    group = getattr(data, "GROUP", None)
    names = list(schema().columns)
    slices = tuple(getattr(data, "SLICES", ()))
    targets = (data.TARGET,) if isinstance(data.TARGET, str) else tuple(data.TARGET)
    text = tuple(getattr(data, "TEXT", ()))
    roles = {"TIME": data.TIME, "GROUP": group, "gate.cluster": gate_cluster}
    lists = {"TARGET": targets, "SLICES": slices, "TEXT": text}
    roles |= {f"{key} {name}": name for key, listed in lists.items() for name in listed}
    for role, name in roles.items():
        if name is not None and name not in names:
            raise UserError(
                f"{role} names the column {name!r}, which data.SCHEMA does not have. "
                f"It has {', '.join(names)}.{did_you_mean(name, names)}"
            )
    features = tuple(name for name in names if name not in (*targets, data.TIME, group))
    for name in text:
        if name in slices or name not in features:
            raise UserError(
                f"TEXT names {name}, which is one of SLICES or no feature. A free text is a "
                "feature without categories: take it out of TEXT or SLICES in data/__init__.py."
            )
    return Columns(features, targets, data.TIME, gate_cluster, slices, text)


def answer() -> Answer:
    """Return what the team's model answers for a row; raises UserError for more than one kind."""
    model, target = team_model(), team_data().TARGET
    kinds = {
        CLASSES: tuple(map(label, getattr(model, "CLASSES", ()))),
        QUANTILES: tuple(map(str, getattr(model, "QUANTILES", ()))),
        OUTPUTS: () if isinstance(target, str) else tuple(target),
    }
    several = {kind: names for kind, names in kinds.items() if names}
    if len(several) > 1:
        raise UserError(
            f"A row has {' and '.join(several)}: {SEVERAL} Keep one of them; for classes or "
            "quantiles of several targets make a fork for each target."
        )
    for kind, names in several.items():
        _require_names(kind, names)
        return Answer(kind, names)
    return Answer()


def _require_names(kind: str, names: tuple[str, ...]) -> None:
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(
            f"The {kind} are {', '.join(names)}: name at least two, each once. {SEVERAL}"
        )
    if kind == QUANTILES:
        shares = [float(name) for name in names]
        if shares != sorted(shares) or not 0 < shares[0] <= shares[-1] < 1:
            raise UserError(
                f"model.QUANTILES are {', '.join(names)}. Name shares between 0 and 1, the "
                "smallest first, such as (0.1, 0.5, 0.9)."
            )


def label(value: Any) -> str:
    """Return the name of a class: 3 for 3.0, since a missing value makes a column of floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def target(frame: "DataFrame", columns: Columns) -> "ndarray":
    """Return the outcomes as `train` and the metrics take them.

    Numbers (rows,); for classes their positions in CLASSES (rows,); for several columns (rows,
    columns). `require` has checked the values.
    """
    if len(columns.targets) > 1:
        return frame[list(columns.targets)].to_numpy()
    outcomes, of_model = frame[columns.targets[0]], answer()
    if of_model.kind != CLASSES:
        return outcomes.to_numpy()
    positions = {name: position for position, name in enumerate(of_model.names)}
    return outcomes.map(label).map(positions).to_numpy(dtype=int)


def nullable(features: Sequence[str]) -> list[str]:
    """Return the features that data.SCHEMA allows to be missing."""
    declared = schema().columns
    return [name for name in features if declared[name].nullable]


@dataclass(frozen=True)
class Split:
    """The partitions in use: those for training, and the later ones held out."""

    train: tuple[str, ...]
    holdout: tuple[str, ...]


def split(settings: Params) -> Split:
    """Select the partitions by `data:` in params.yaml; raises UserError if there are too few."""
    with team_code("data.partitions"):
        names = list(team_data().partitions())
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

    with team_code(f"data.load({name!r})"):
        loaded = team_data().load(name)
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


def require(frame: "DataFrame", columns: Columns, where: str) -> None:
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
    of_model = answer()
    if of_model.kind == CLASSES:
        unknown = sorted(set(map(label, outcomes.unique())) - set(of_model.names))
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


def train(frame: "DataFrame", columns: Columns, params: Params, device: str) -> Any:
    """Train the team's model on a frame, after `require`."""
    with team_code("model.train"):
        return team_model().train(
            frame[list(columns.features)],
            target(frame, columns),
            params.model,
            device=device,
            threads=params.train.threads,
            seed=params.train.seed,
        )


def save(model: Any, folder: Path) -> None:
    """Let the team write its model to a folder; equal models give equal files of skops."""
    with team_code("model.save"):
        team_model().save(model, folder)
    skops_file.rewrite(folder)


def predict(model: Any, rows: "DataFrame") -> "ndarray":
    """Return the team's scores for a frame of features as float64.

    One number a row (rows,), or the numbers that `answer` names (rows, names).
    """
    import numpy as np

    with team_code("model.predict"):
        scores = np.asarray(team_model().predict(model, rows), dtype=float)
    of_model = answer()
    if scores.shape != of_model.shape(len(rows)):
        raise UserError(
            f"model.predict returned shape {scores.shape} for {len(rows)} rows; it must return "
            f"{of_model.shape(len(rows))}: {of_model.described()} a row. {_SHAPES[of_model.kind]}"
        )
    if of_model.kind == CLASSES:
        _require_probabilities(scores)
    return scores


_SHAPES = {
    Answer().kind: "For a scikit-learn classifier of 0 and 1 that is `predict_proba(...)[:, 1]`; "
    f"for several numbers set {SEVERAL}",
    CLASSES: "For a scikit-learn classifier that is `predict_proba(...)`, if its training rows "
    "held every class.",
    QUANTILES: "It has a column for each of model.QUANTILES.",
    OUTPUTS: "It has a column for each column of data.TARGET.",
}


def _require_probabilities(scores: "ndarray") -> None:
    import numpy as np

    totals = scores.sum(axis=1)
    # A score that is not finite is the gate's to refuse (M102).
    wrong = np.isfinite(totals) & ((abs(totals - 1) > 1e-3) | (scores < 0).any(axis=1))
    if wrong.any():
        raise UserError(
            f"model.predict returned {scores[wrong][0].tolist()} for a row, with the sum "
            f"{totals[wrong][0]:g}. With CLASSES it returns probabilities: none below 0, the sum 1."
        )


def takes_frame() -> bool:
    """Return whether the service gives the team's predict a DataFrame, not a dict of lists."""
    return bool(getattr(team_model(), "FRAME", False))


def served(model: Any, rows: "DataFrame") -> Callable[[Any], Any]:
    """Return the function that scores columns as the service does; `rows` has their types."""
    score = partial(team_model().predict, model)
    return with_frames(score, column_types(rows)) if takes_frame() else score


def to_onnx() -> Callable[[Any, Path], None] | None:
    """Return the team's own conversion of its model to ONNX, None if it has none."""
    team = team_model()
    convert = getattr(team, "to_onnx", None)

    def checked(model: Any, folder: Path) -> None:
        with team_code("model.to_onnx"):
            convert(model, folder)

    return checked if convert else None


def metrics() -> "list[Metric]":
    """Return the metrics that model.METRICS names; raises UserError for an unknown one."""
    from mlops.statistics.metrics import THRESHOLD
    from mlops.statistics.selection import select

    model = team_model()
    functions = {
        metric if isinstance(metric, str) else metric.__name__: (
            None if isinstance(metric, str) else metric
        )
        for metric in model.METRICS
    }
    return select(functions, answer(), float(getattr(model, "THRESHOLD", THRESHOLD)))
