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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mlops.config.params import Params, load_params
from mlops.errors import UserError, did_you_mean
from mlops.serving.answer import CLASSES, OUTPUTS, QUANTILES, Answer

if TYPE_CHECKING:
    from pandera.pandas import Column, DataFrameSchema

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
    for key in ("SLICES", "TEXT"):
        if isinstance(getattr(data, key, ()), str):
            column = getattr(data, key)
            raise UserError(f'{key} is the text {column!r}. Make it a tuple: ("{column}",).')
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
    if group and gate_cluster is None:
        raise UserError(
            f"data.GROUP is {group!r}, whose rows depend on each other, but gate.cluster is not "
            f"set, so intervals would count each row. Set `cluster: {group}` below gate: in "
            "params.yaml, or leave GROUP out."
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


def length(column: "Column") -> int | None:
    """Return the length of the lists in a column of data.SCHEMA, None if it holds none."""
    return (column.metadata or {}).get("length")


def nullable(features: Sequence[str]) -> list[str]:
    """Return the features that data.SCHEMA allows to be missing."""
    declared = schema().columns
    return [name for name in features if declared[name].nullable]
