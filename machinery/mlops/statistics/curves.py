"""The data of the report's plots: small tables instead of every score."""

from typing import Any

import numpy as np

from mlops.serving.answer import CLASSES, OUTPUTS, QUANTILES, Answer
from mlops.statistics.metrics import tenths
from mlops.statistics.several import below, hits

STEPS = 20
# Scores that differ relatively less are drawn as one: floats are too coarse for a histogram there.
LEAST = 1e-9


def curves(target: np.ndarray, score: np.ndarray, answer: Answer = Answer()) -> dict[str, Any]:
    """Return calibration (mean score and target by tenths of the score) and a histogram of scores.

    Target and score are (rows, ...). Of classes the likeliest one counts, its probability against
    the share of hits; outputs are in standard deviations of their targets; of quantiles the share
    of targets at or below each stands against its level. Scores that are not finite are left out,
    counted as `unplotted`.
    """
    if answer.kind == CLASSES:
        return curves(hits(target, score), score.max(axis=1))
    if answer.kind == OUTPUTS:
        centre, spread = target.mean(axis=0), np.maximum(target.std(axis=0), LEAST)
        return curves(((target - centre) / spread).ravel(), ((score - centre) / spread).ravel())
    if answer.kind == QUANTILES:
        levels, shares = map(float, answer.names), below(target, score).mean(axis=0)
        coverage = [
            {"score": level, "target": float(share), "rows": len(target)}
            for level, share in zip(levels, shares)
        ]
        middle = score[:, score.shape[1] // 2]
        return curves(target, middle) | {"calibration": coverage}
    finite = np.isfinite(score)
    target, score = target[finite].astype(float), score[finite]
    counts, edges = np.histogram(score, STEPS, _ends(score)) if score.size else ([], [])
    return {
        "calibration": _calibration(target, score) if score.size else [],
        "histogram": {"edges": [float(edge) for edge in edges], "rows": [int(n) for n in counts]},
        "unplotted": int((~finite).sum()),
    }


def _ends(score: np.ndarray) -> tuple[float, float]:
    low, high = score.min(), score.max()
    least = LEAST * max(abs(low), abs(high))
    room = 0.0 if high - low > least else max(0.5, least)
    return low - room, high + room


def _calibration(target: np.ndarray, score: np.ndarray) -> list[dict[str, float]]:
    numbers, bins = tenths(score)
    parts = [part for part in (np.flatnonzero(numbers == n) for n in range(bins)) if part.size]
    return [
        {"score": score[part].mean(), "target": target[part].mean(), "rows": part.size}
        for part in parts
    ]
