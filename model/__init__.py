"""Yours: what the model does. The machinery uses only these names (model/README.md)."""

from model.evaluate import METRICS, THRESHOLD
from model.export import to_onnx
from model.params import Params
from model.predict import load, predict
from model.train import save, train, trained_on

__all__ = [
    "METRICS",
    "THRESHOLD",
    "Params",
    "load",
    "predict",
    "save",
    "to_onnx",
    "train",
    "trained_on",
]
