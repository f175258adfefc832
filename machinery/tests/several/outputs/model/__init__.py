"""Two amounts a row, by least squares."""

import json

import numpy as np
from pydantic import BaseModel

METRICS = ("r2", "mae")


class Params(BaseModel):
    """One hyperparameter."""

    ridge: float = 1.0


def _matrix(columns):
    km = np.asarray(columns["km"], dtype=float)
    return np.column_stack([np.ones_like(km), km, np.asarray(columns["night"], dtype=float)])


def train(frame, target, params, *, device, threads, seed):
    """Return the coefficients (3, outputs)."""
    del device, threads, seed
    matrix = _matrix(frame)
    return np.linalg.solve(matrix.T @ matrix + params.ridge * np.eye(3), matrix.T @ target)


def save(model, folder):
    """Write the coefficients."""
    (folder / "coefficients.json").write_text(json.dumps(model.tolist()))


def load(folder):
    """Read the coefficients."""
    return np.array(json.loads((folder / "coefficients.json").read_text()))


def predict(model, columns):
    """Return fare and minutes of each ride (rows, 2)."""
    return _matrix(columns) @ model
