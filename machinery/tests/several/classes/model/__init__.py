"""How a ride is paid: the shares of each kind by night and by tenths of the distance."""

import json

import numpy as np
from pydantic import BaseModel, Field

METRICS = ("log_loss", "accuracy", "auc")
CLASSES = ("cash", "card", "app")


class Params(BaseModel):
    """One hyperparameter."""

    prior: float = Field(1.0, gt=0)


def _cells(columns):
    km = np.minimum(np.asarray(columns["km"], dtype=float) // 2, 9).astype(int)
    return 2 * km + np.asarray(columns["night"], dtype=int)


def train(frame, target, params, *, device, threads, seed):
    """Return the share of each class in each cell (20, 3)."""
    del device, threads, seed
    counts = np.full((20, len(CLASSES)), params.prior)
    np.add.at(counts, (_cells(frame), target), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def save(model, folder):
    """Write the shares."""
    (folder / "shares.json").write_text(json.dumps(model.tolist()))


def load(folder):
    """Read the shares."""
    return np.array(json.loads((folder / "shares.json").read_text()))


def predict(model, columns):
    """Return the probability of each class (rows, 3)."""
    return model[_cells(columns)]
