"""The rule that a model exported to ONNX gives the scores of the model that was trained.

A converter leaves out what it does not know, some of it silently, and computes with float32.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import failure
from mlops.gate.parity import Way, difference, sample
from mlops.paths import EXPORTS
from mlops.rules import Finding, Rule
from mlops.serving.onnx_file import OnnxModel
from mlops.training import calls, contract, onnx_export, partitions
from mlops.training.record import Record, model_folder

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

EXPORTED = Rule("B102", "The exported model gives the same scores as the trained one.")
# float32 has seven digits, and the sum of a few hundred trees or products loses one or two.
TOLERANCE = 1e-5
WAY = Way(
    "from the exported model",
    "skl2onnx leaves out options that it does not know, such as SimpleImputer(add_indicator=True): "
    "use steps without them. It computes with float32: where a tree parts values that differ in "
    "the eighth digit, give the column the type float32 in data.SCHEMA (machinery/docs/onnx.md).",
    tolerance=TOLERANCE,
)


@dataclass(frozen=True)
class Export:
    """An exported model, both models ready to score, and what the rule makes of them."""

    folder: Path
    exported: OnnxModel
    trained: Any
    features: "DataFrame"
    finding: Finding


def export(training: Record) -> Export:
    """Export the model of a record to its folder below build/ and judge it on the held-out rows.

    Raises UserError if it cannot be converted.
    """
    import pandas as pd

    source = model_folder(training)
    folder = EXPORTS / source.name
    columns = contract.columns(training["params"]["values"]["gate"]["cluster"])
    held_out = partitions.load(training["data"]["holdout"]["partitions"]).frame
    features = held_out[list(columns.features)]
    trained = contract.team_model().load(source)
    onnx_export.export(trained, features, folder)
    exported = onnx_export.load(folder, columns.features)
    # Some of these have no value where one may be missing.
    few = sample(features, len(features), contract.nullable(columns.features))
    rows = pd.concat([features.drop(few.index), few], ignore_index=True)
    finding = compare(rows, calls.predict(trained, rows), exported)
    return Export(folder, exported, trained, features, finding)


def compare(rows: "DataFrame", expected: "ndarray", exported: OnnxModel) -> Finding:
    """Compare the scores of an exported model with the expected ones, which the rows had."""
    try:
        scores = exported(rows)
    # onnxruntime has an exception of its own for each kind of mistake in a file.
    except Exception as error:  # pylint: disable=broad-exception-caught
        message = (
            f"onnxruntime cannot score the rows: {failure(str(error), 'no reason')} {WAY.remedy}"
        )
        return EXPORTED.finding("model", False, message)
    problem = difference(rows, scores, expected, WAY)
    message = problem or f"{len(rows):,} held-out rows have the same scores as in process."
    return EXPORTED.finding("model", not problem, message)
