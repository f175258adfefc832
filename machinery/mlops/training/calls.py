"""Calls of the team's model: train, save, score, convert; and its metrics."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.config.params import Params
from mlops.errors import UserError
from mlops.serving.answer import CLASSES, OUTPUTS, QUANTILES, Answer
from mlops.serving.frames import column_types, with_frames
from mlops.training import contract, partitions, skops_file

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

    from mlops.statistics.metrics import Metric


def train(frame: "DataFrame", columns: contract.Columns, params: Params, device: str) -> Any:
    """Train the team's model on a frame, after `require`."""
    with contract.team_code("model.train"):
        return contract.team_model().train(
            frame[list(columns.features)],
            partitions.target(frame, columns),
            params.model,
            device=device,
            threads=params.train.threads,
            seed=params.train.seed,
        )


def save(model: Any, folder: Path) -> None:
    """Let the team write its model to a folder; equal models give equal files of skops."""
    with contract.team_code("model.save"):
        contract.team_model().save(model, folder)
    skops_file.rewrite(folder)


def predict(model: Any, rows: "DataFrame") -> "ndarray":
    """Return the team's scores for a frame of features as float64.

    One number a row (rows,), or the numbers that `answer` names (rows, names).
    """
    import numpy as np

    with contract.team_code("model.predict"):
        scores = np.asarray(contract.team_model().predict(model, rows), dtype=float)
    of_model = contract.answer()
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
    f"for several numbers set {contract.SEVERAL}",
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
    return bool(getattr(contract.team_model(), "FRAME", False))


def served(model: Any, rows: "DataFrame") -> Callable[[Any], Any]:
    """Return the function that scores columns as the service does; `rows` has their types."""
    score = partial(contract.team_model().predict, model)
    return with_frames(score, column_types(rows)) if takes_frame() else score


def to_onnx() -> Callable[[Any, Path], None] | None:
    """Return the team's own conversion of its model to ONNX, None if it has none."""
    team = contract.team_model()
    convert = getattr(team, "to_onnx", None)

    def checked(model: Any, folder: Path) -> None:
        with contract.team_code("model.to_onnx"):
            convert(model, folder)

    return checked if convert else None


def metrics() -> "list[Metric]":
    """Return the metrics that model.METRICS names; raises UserError for an unknown one."""
    from mlops.statistics.metrics import THRESHOLD
    from mlops.statistics.selection import select

    model = contract.team_model()
    functions = {
        metric if isinstance(metric, str) else metric.__name__: (
            None if isinstance(metric, str) else metric
        )
        for metric in model.METRICS
    }
    return select(functions, contract.answer(), float(getattr(model, "THRESHOLD", THRESHOLD)))
