"""Prediction, for the evaluation, the comparison with the champion and the service alike."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from model.features import code_books, encode
from model.train import Model


def load(folder: Path) -> Model:
    """Read a model that `train.save` wrote."""
    from xgboost import Booster

    booster = Booster(model_file=folder / "model.ubj")
    text = (folder / "categories.json").read_text(encoding="utf-8")
    categories = {name: tuple(values) for name, values in json.loads(text).items()}
    return Model(booster, categories, code_books(categories))


def predict(model: Model, columns: Mapping[str, Sequence]) -> np.ndarray:
    """Return the probability of a late arrival (rows,) for a DataFrame or a dict of lists."""
    return model.booster.inplace_predict(encode(columns, model.codes))
