"""The figures of each class, output or quantile of a model, for the report."""

from typing import Any

import numpy as np

from mlops.serving.answer import CLASSES, OUTPUTS, QUANTILES
from mlops.statistics.metrics import built_in, pinball
from mlops.statistics.several import below
from mlops.statistics.slices import ScoredRows

# A larger table of confusions cannot be read.
MOST_CLASSES = 30


def measure(scored: ScoredRows) -> dict[str, Any]:
    """Return the figures by name, for candidate and champion; nothing for one number a row.

    For classes also the confusions of the candidate: rows by actual and likeliest class.
    """
    measures = {CLASSES: _classes, OUTPUTS: _outputs, QUANTILES: _quantiles}
    if scored.answer.kind not in measures:
        return {}
    figures = {
        who: measures[scored.answer.kind](scored, score)
        for who, score in (("candidate", scored.candidate), ("champion", scored.champion))
        if score is not None and np.isfinite(score).all()
    }
    names = list(scored.answer.names)
    parts: dict[str, Any] = {"kind": scored.answer.kind, "names": names, **figures}
    if scored.answer.kind == CLASSES and len(names) <= MOST_CLASSES:
        parts["confusion"] = _confusion(scored.target, scored.candidate).tolist()
    return {"parts": parts}


def _confusion(target: np.ndarray, score: np.ndarray) -> np.ndarray:
    count = score.shape[1]
    cells = np.bincount(target * count + score.argmax(axis=1), minlength=count * count)
    return cells.reshape(count, count)


def _classes(scored: ScoredRows, score: np.ndarray) -> dict[str, list[float | None]]:
    confusion = _confusion(scored.target, score)
    actual, predicted, hit = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    areas = [
        _whole("auc", (scored.target == one).astype(int), score[:, one])
        for one in range(score.shape[1])
    ]
    return {
        "rows": actual.tolist(),
        "recall": _shares(hit, actual),
        "precision": _shares(hit, predicted),
        "AUC against the rest": areas,
    }


def _outputs(scored: ScoredRows, score: np.ndarray) -> dict[str, list[float | None]]:
    pairs = list(zip(scored.target.T, score.T))
    return {name: [_whole(name, *pair) for pair in pairs] for name in ("mae", "rmse", "r2")}


def _quantiles(scored: ScoredRows, score: np.ndarray) -> dict[str, list[float | None]]:
    levels = list(map(float, scored.answer.names))
    losses = [
        _value(pinball(level), scored.target, score[:, one]) for one, level in enumerate(levels)
    ]
    return {
        "share at or below": below(scored.target, score).mean(axis=0).tolist(),
        "pinball loss": losses,
    }


def _shares(part: np.ndarray, whole: np.ndarray) -> list[float | None]:
    return [float(p / w) if w else None for p, w in zip(part, whole)]


def _whole(name: str, target: np.ndarray, score: np.ndarray) -> float | None:
    return _value(built_in()[name], target, score)


def _value(metric: Any, target: np.ndarray, score: np.ndarray) -> float | None:
    prepared = metric.prepare(target, score, np.zeros(len(target), int), 1)
    value = float(prepared(np.ones((1, 1)))[0])
    return value if np.isfinite(value) else None
