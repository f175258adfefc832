"""The contract with the team's code; the only module that imports `data` and `model`.

`data` provides SCHEMA (a strict pandera DataFrameSchema), TARGET and TIME (column names),
optionally GROUP (a column) and SLICES (columns), `partitions() -> names, oldest first` and
`load(name) -> (frame, fingerprint)`.

`model` provides Params (a pydantic model), METRICS,
`train(frame, target, params, *, device, threads, seed) -> model`, `save(model, folder)`,
`load(folder) -> model`, `predict(model, columns) -> scores` and optionally
`trained_on(model) -> device` and THRESHOLD, the least score that predicts a 1 (0.5 by default).
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mlops.config.params import Params, load_params
from mlops.errors import UserError, did_you_mean
from mlops.files import canonical, digest
from mlops.training import skops_file

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame, Series

DATA = ("SCHEMA", "TARGET", "TIME", "partitions", "load")
MODEL = ("Params", "METRICS", "train", "save", "load", "predict")


def team_model() -> ModuleType:
    """Import the team's `model` package and check that it has the names of the contract."""
    return _import("model", MODEL)


def team_data() -> ModuleType:
    """Import the team's `data` package and check that it has the names of the contract."""
    return _import("data", DATA)


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
    target: str
    time: str
    cluster: str | None
    slices: tuple[str, ...]


def columns(gate_cluster: str | None) -> Columns:
    """Return the roles of the columns: all but target, time and group are features."""
    data = team_data()
    group = getattr(data, "GROUP", None)
    names = list(data.SCHEMA.columns)
    slices = tuple(getattr(data, "SLICES", ()))
    roles = {"TARGET": data.TARGET, "TIME": data.TIME, "GROUP": group, "gate.cluster": gate_cluster}
    for role, name in {**roles, **{f"SLICES {name}": name for name in slices}}.items():
        if name is not None and name not in names:
            raise UserError(
                f"{role} names the column {name!r}, which data.SCHEMA does not have. "
                f"It has {', '.join(names)}.{did_you_mean(name, names)}"
            )
    features = tuple(name for name in names if name not in (data.TARGET, data.TIME, group))
    return Columns(features, data.TARGET, data.TIME, gate_cluster, slices)


@dataclass(frozen=True)
class Split:
    """The partitions in use: those for training, and the later ones held out."""

    train: tuple[str, ...]
    holdout: tuple[str, ...]


def split(settings: Params) -> Split:
    """Select the partitions by `data:` in params.yaml; raises UserError if there are too few."""
    with team_code("data.partitions"):
        names = list(team_data().partitions())
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
    frame = pd.concat([frame for frame, _ in loaded.values()], ignore_index=True)
    return Rows(frame, {name: fingerprint for name, (_, fingerprint) in loaded.items()})


def _loaded(name: str) -> "tuple[DataFrame, str]":
    import pandas as pd

    with team_code(f"data.load({name!r})"):
        loaded = team_data().load(name)
    match loaded:
        case (pd.DataFrame(), str()):
            return loaded
    parts = loaded if isinstance(loaded, tuple) else (loaded,)
    raise UserError(
        f"data.load({name!r}) returned {', '.join(type(part).__name__ for part in parts)}. It "
        "must return the rows, a DataFrame, and the fingerprint of their bytes, a str "
        "(data/README.md)."
    )


def require(frame: "DataFrame", columns: Columns, where: str) -> None:
    """Raise UserError if a frame lacks columns or rows, or a column does not fit its role."""
    roles = {"TIME": columns.time, "TARGET": columns.target, "gate.cluster": columns.cluster}
    needed = dict.fromkeys((*columns.features, *filter(None, roles.values())))
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise UserError(
            f"{where}: the column(s) {', '.join(missing)} are missing; data.SCHEMA declares them. "
            f"Found {', '.join(map(str, frame.columns))}. `make check-data` shows details."
        )
    if frame.empty:
        raise UserError(f"{where}: there are no rows. `make check-data` shows details.")
    time, target = frame[columns.time].dtype, frame[columns.target].dtype
    if time.kind != "M":
        raise UserError(
            f"{where}: TIME names {columns.time}, which holds {time}. It must hold dates: "
            "pa.DateTime in data.SCHEMA, from pd.to_datetime in data.load."
        )
    if target.kind not in "biuf":
        raise UserError(
            f"{where}: TARGET names {columns.target}, which holds {target}. It must hold "
            "numbers: 0 or 1 for no or yes; machinery/docs/fork.md lists the other options."
        )
    for role, name in roles.items():
        if name is not None:
            _require_whole(frame[name], role, where)


def _require_whole(column: "Series", role: str, where: str) -> None:
    invalid = int((column.isna() | column.isin([float("inf"), float("-inf")])).sum())
    if invalid:
        other = ", or name another column in params.yaml" if role == "gate.cluster" else ""
        raise UserError(
            f"{where}: {role} names {column.name}, which is missing or infinite in {invalid:,} of "
            f"{len(column):,} rows. Every row needs one: in data.load fill it in or leave those "
            f"rows out{other}."
        )


def save(model: Any, folder: Path) -> None:
    """Let the team write its model to a folder; equal models give equal files of skops."""
    with team_code("model.save"):
        team_model().save(model, folder)
    skops_file.rewrite(folder)


def predict(model: Any, rows: "DataFrame") -> "ndarray":
    """Return the team's scores for a frame of features as float64 (rows,)."""
    import numpy as np

    with team_code("model.predict"):
        scores = np.asarray(team_model().predict(model, rows), dtype=float)
    if scores.shape != (len(rows),):
        raise UserError(
            f"model.predict returned shape {scores.shape} for {len(rows)} rows; it must return "
            "one score a row. For a scikit-learn classifier of 0 and 1 that is "
            "`predict_proba(...)[:, 1]`; machinery/docs/fork.md lists the other options."
        )
    return scores


def metric_functions() -> dict[str, Callable[..., Any] | None]:
    """Return the team's metrics by name: None for a built-in, else their own function."""
    return {
        metric if isinstance(metric, str) else metric.__name__: (
            None if isinstance(metric, str) else metric
        )
        for metric in team_model().METRICS
    }


def threshold() -> float:
    """Return the least score that predicts a 1, for metrics of decisions such as F1."""
    from mlops.statistics.metrics import THRESHOLD

    return float(getattr(team_model(), "THRESHOLD", THRESHOLD))
