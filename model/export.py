"""The model as an ONNX file, which onnxruntime scores without XGBoost (machinery/docs/onnx.md)."""

from pathlib import Path
from typing import Any

from model.features import CATEGORICAL, NUMERIC, TYPES
from model.train import Model


def to_onnx(model: Model, folder: Path) -> None:
    """Write model.onnx: an input for each column, codes and trees in between, a score a row."""
    from onnx import TensorProto, helper
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = model.booster.copy()
    # The converter takes features by their number only.
    booster.feature_names = None
    converted = convert_xgboost(
        booster, "flights", [("matrix", FloatTensorType([None, len(TYPES)]))]
    )
    # The first version of these operators has no encoder with a default.
    for operators in converted.opset_import:
        if operators.domain == "ai.onnx.ml":
            operators.version = 3
    graph = converted.graph
    trees, (_, probabilities) = list(graph.node), graph.output
    score = helper.make_node("Gather", [probabilities.name, "late"], ["scores"], axis=1)
    graph.initializer.append(helper.make_tensor("late", TensorProto.INT64, [], [1]))
    _replace(graph.node, [*_encoded(model), *trees, score])
    numbers = [_column(name, TensorProto.FLOAT) for name in NUMERIC]
    _replace(graph.input, [*numbers, *(_column(name, TensorProto.STRING) for name in CATEGORICAL)])
    _replace(graph.output, [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None])])
    (folder / "model.onnx").write_bytes(converted.SerializeToString(deterministic=True))


def _encoded(model: Model) -> list[Any]:
    """Return the nodes that do as `features.encode`: a missing or unseen category becomes NaN."""
    from onnx import helper

    encoders = [
        helper.make_node(
            "LabelEncoder",
            [name],
            [f"{name} code"],
            domain="ai.onnx.ml",
            keys_strings=list(codes),
            values_floats=list(map(float, codes.values())),
            default_float=float("nan"),
        )
        for name, codes in ((name, model.codes[name]) for name in CATEGORICAL)
    ]
    columns = [*NUMERIC, *(f"{name} code" for name in CATEGORICAL)]
    return [*encoders, helper.make_node("Concat", columns, ["matrix"], axis=1)]


def _column(name: str, kind: int) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, [None, 1])


def _replace(field: Any, values: list[Any]) -> None:
    del field[:]
    field.extend(values)
