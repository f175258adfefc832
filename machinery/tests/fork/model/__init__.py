"""Least squares on three columns, kept as JSON."""

import json

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

METRICS = ("mae", "rmse")


class Params(BaseModel):
    """One hyperparameter."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    ridge: float = Field(1.0, ge=0)


def _matrix(columns):
    km = np.asarray(columns["km"], dtype=float)
    wait = np.nan_to_num(np.asarray(columns["wait"], dtype=float))
    outer = np.array([zone == "outer" for zone in columns["zone"]], dtype=float)
    return np.column_stack([np.ones_like(km), km, wait, outer])


def train(frame, target, params, *, device, threads, seed):
    """Return the coefficients."""
    del device, threads, seed
    matrix = _matrix(frame)
    return np.linalg.solve(matrix.T @ matrix + params.ridge * np.eye(4), matrix.T @ target)


def save(model, folder):
    """Write the coefficients."""
    (folder / "coefficients.json").write_text(json.dumps(model.tolist()))


def load(folder):
    """Read the coefficients."""
    return np.array(json.loads((folder / "coefficients.json").read_text()))


def predict(model, columns):
    """Return one fare a row."""
    return _matrix(columns) @ model
