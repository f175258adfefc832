"""The data of the report's plots: small tables instead of every score."""

from typing import Any

import numpy as np

from mlops.statistics.metrics import tenths

STEPS = 20
# Scores that differ relatively less are drawn as one: floats are too coarse for a histogram there.
LEAST = 1e-9


def curves(target: np.ndarray, score: np.ndarray) -> dict[str, Any]:
    """Return calibration (mean score and target by tenths of the score) and a histogram of scores.

    Target and score are (rows,). Scores that are not finite are left out, counted as `unplotted`.
    """
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
