"""A model as an ONNX file: an input for each feature that it uses, an output of scores.

It is scored by onnxruntime, without the team's code, pandas or the library that trained it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# The runtime in params.yaml, the file, and its output where it has several.
ONNX, FILE, SCORES = "onnx", "model.onnx", "scores"
# A text that is missing: skl2onnx writes NaN, as pandas has it in training, into the file as this.
MISSING_TEXT = "nan"
TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class OnnxModel:
    """An ONNX file, loaded and ready; raises ValueError for inputs or outputs of another form."""

    def __init__(self, path: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        # As everywhere in the service: requests run in parallel, not the rows of one request.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Errors are raised; warnings are about shapes that are right.
        options.log_severity_level = 4
        self._session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name: one for one in self._session.get_inputs()}
        for name, one in self._inputs.items():
            if one.type not in TYPES or len(one.shape) not in (1, 2):
                raise ValueError(
                    f"{path}: the input {name} is a {one.type} of shape {one.shape}. An input "
                    f"holds one feature, (rows,) or (rows, 1), as {', '.join(TYPES)}."
                )
        outputs = [one.name for one in self._session.get_outputs()]
        if len(outputs) > 1 and SCORES not in outputs:
            raise ValueError(
                f"{path}: the outputs are {', '.join(outputs)}. Give it one output, or name "
                f"that of the scores `{SCORES}`."
            )
        self._output = SCORES if SCORES in outputs else outputs[0]

    @property
    def inputs(self) -> list[str]:
        """The features that the file takes."""
        return list(self._inputs)

    def __call__(self, columns: Mapping[str, Sequence]) -> "np.ndarray":
        """Return the scores of columns, a DataFrame or a dict of lists."""
        feeds = {
            name: _values(columns[name], TYPES[one.type]).reshape((-1, 1)[: len(one.shape)])
            for name, one in self._inputs.items()
        }
        (scores,) = self._session.run([self._output], feeds)
        return scores[:, 0] if scores.shape[1:] == (1,) else scores


def _values(column: Any, dtype: str) -> "np.ndarray":
    """Return a column as an array, with what the file takes for a missing value."""
    import numpy as np

    if hasattr(column, "notna"):
        # A Series, of any type that pandas has.
        column = column.astype(object).where(column.notna(), None).tolist()
    if dtype == "object":
        column = [MISSING_TEXT if value is None else value for value in column]
    # NumPy makes NaN of None, in an array of floats.
    return np.array(column, dtype)
