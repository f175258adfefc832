"""The trained model as an ONNX file, by the team's `to_onnx` or, for scikit-learn, by skl2onnx."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError
from mlops.files import digest_folder, new_folder
from mlops.serving.answer import CLASSES, NUMBER
from mlops.serving.onnx_file import FILE, SCORES, OnnxModel
from mlops.training import calls, contract

if TYPE_CHECKING:
    from pandas import DataFrame

PAGE = "machinery/docs/onnx.md"


def export(model: Any, rows: "DataFrame", folder: Path) -> None:
    """Write the team's model to a folder, `rows` being features with the types of training.

    Raises UserError if it cannot be converted, or twice gives different bytes.
    """
    by_team = calls.to_onnx()
    _require("onnxruntime", *(() if by_team else ("skl2onnx",)))
    convert = by_team or (lambda model, folder: _by_skl2onnx(model, rows, folder / FILE))
    # Another conversion of the same model may have been there.
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch, new_folder(folder) as fresh:
        for target in (fresh, Path(scratch)):
            convert(model, target)
        if not (fresh / FILE).is_file():
            raise UserError(f"model.to_onnx(model, folder) wrote no {FILE} into the folder.")
        if digest_folder(fresh) != digest_folder(Path(scratch)):
            raise UserError(
                "model.to_onnx wrote different bytes for one model, so its release could not be "
                "made again. Leave out names, times and ids that are new each time."
            )


def load(folder: Path, features: Sequence[str]) -> OnnxModel:
    """Load an exported model; raises UserError if onnxruntime or the service cannot use it."""
    try:
        exported = OnnxModel(folder / FILE)
    # onnxruntime has an exception of its own for each kind of mistake in a file.
    except Exception as error:
        raise UserError(f"onnxruntime cannot use {folder / FILE}: {_first_line(error)}") from error
    unknown = sorted(set(exported.inputs) - set(features))
    if unknown:
        raise UserError(
            f"{folder / FILE} has the input(s) {', '.join(unknown)}, which no feature is named. An "
            f"input has the name of a feature: {', '.join(features)}."
        )
    return exported


def _require(*packages: str) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(
            f"ONNX needs {' and '.join(missing)}, not installed here. Add {' and '.join(missing)} "
            "to `dependencies` in pyproject.toml, then `make lock`."
        )


def _by_skl2onnx(model: Any, rows: "DataFrame", path: Path) -> None:
    """Convert a fitted estimator or pipeline of scikit-learn."""
    from sklearn.base import BaseEstimator, is_classifier

    if not isinstance(model, BaseEstimator):
        raise UserError(
            f"model.load returned a {type(model).__name__}, which is no estimator of scikit-learn. "
            f"Add `to_onnx(model, folder)` to model/, which writes {FILE} ({PAGE})."
        )
    from skl2onnx import convert_sklearn

    # What a search found is a model by itself; skl2onnx would take the pipeline in it for one step.
    model = getattr(model, "best_estimator_", model)
    types = [(name, _type(name, dtype)) for name, dtype in rows.dtypes.items()]
    classifier = is_classifier(model)
    try:
        converted = convert_sklearn(
            _by_columns(model, rows),
            # The default is an id that is new each time.
            type(model).__name__,
            types,
            options={"zipmap": False} if classifier else None,
            custom_conversion_functions=_boosted_trees(),
        )
    # skl2onnx raises every kind of error for what it cannot convert.
    except Exception as error:
        raise UserError(
            f"skl2onnx cannot convert the model: {type(error).__name__}: {_first_line(error)}. "
            f"Use other steps, or add `to_onnx(model, folder)` to model/ ({PAGE})."
        ) from error
    _name_scores(converted.graph, classifier)
    path.write_bytes(converted.SerializeToString(deterministic=True))


def _type(name: str, dtype: Any) -> Any:
    """Return the type of a column's input; numbers that may be missing are floats."""
    import numpy as np
    import pandas as pd
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    whole = isinstance(dtype, np.dtype) and dtype.kind in "iub"
    if whole and np.can_cast(dtype, np.int64):
        return Int64TensorType([None, 1])
    if pd.api.types.is_numeric_dtype(dtype):
        return FloatTensorType([None, 1])
    if pd.api.types.is_string_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return StringTensorType([None, 1])
    raise UserError(
        f"{name} holds {dtype}, which has no type in ONNX. Make numbers or texts of it in data/."
    )


def _by_columns(model: Any, rows: "DataFrame") -> Any:
    """Return a model whose first step takes columns by name: skl2onnx takes others as a matrix."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    first = model.steps[0][1] if isinstance(model, Pipeline) else model
    if isinstance(first, ColumnTransformer):
        return model
    names = getattr(model, "feature_names_in_", rows.columns)
    columns = ColumnTransformer([("all", "passthrough", list(names))]).fit(rows)
    return Pipeline([("columns", columns), ("model", model)])


def _name_scores(graph: Any, classifier: bool) -> None:
    """Give a graph one output: what `predict` returns, for a classifier probabilities."""
    from onnx import TensorProto, helper

    answer = contract.answer()
    source = "probabilities" if classifier else graph.output[0].name
    if classifier and answer.kind == NUMBER:
        # The probability of a yes.
        position = helper.make_tensor("yes", TensorProto.INT64, [], [1])
        graph.initializer.append(position)
        node = helper.make_node("Gather", [source, "yes"], [SCORES], axis=1)
        shape = [None]
    elif classifier and answer.kind != CLASSES:
        raise UserError(
            f"The model is a classifier and a row has {answer.described()}: add "
            f"`to_onnx(model, folder)` to model/ ({PAGE})."
        )
    else:
        node = helper.make_node("Identity", [source], [SCORES])
        shape = [None, len(answer.names) or 1]
    graph.node.append(node)
    kind = next(one for one in graph.output if one.name == source).type.tensor_type.elem_type
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(SCORES, kind, shape))


def _boosted_trees() -> dict[type, Callable]:
    """Return converters for boosted trees: skl2onnx 1.20 has booleans in them, protobuf 7 none."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    class Integers:
        """A container of nodes that takes booleans for integers."""

        def __init__(self, container: Any) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def add_node(self, *arguments: Any, **attributes: Any) -> Any:
            """Add a node."""
            key = "nodes_missing_value_tracks_true"
            if key in attributes:
                attributes[key] = list(map(int, attributes[key]))
            return self._container.add_node(*arguments, **attributes)

    kinds = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    converters = {kind: get_converter(sklearn_operator_name_map[kind]) for kind in kinds}
    return {
        kind: lambda scope, operator, container, convert=convert: convert(
            scope, operator, Integers(container)
        )
        for kind, convert in converters.items()
    }


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300].rstrip(".")
