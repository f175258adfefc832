"""What the plots of a report are drawn from: small tables instead of every score."""

from typing import Any

import numpy as np

from mlops.statistics.metrics import tenths

STEPS = 20
# Scores that differ by less, of their size, are drawn as one: floats have no room for steps there.
LEAST = 1e-9


def curves(target: np.ndarray, score: np.ndarray) -> dict[str, Any]:
    """Return calibration (mean score and target by tenths of the score) and a histogram of scores.

    Target and score are (rows,). Scores that are no number are left out and counted as `unplotted`.
    """
    good = np.isfinite(score)
    target, score = target[good].astype(float), score[good]
    counts, edges = np.histogram(score, STEPS, _ends(score)) if score.size else ([], [])
    return {
        "calibration": _calibration(target, score) if score.size else [],
        "histogram": {"edges": [float(edge) for edge in edges], "rows": [int(n) for n in counts]},
        "unplotted": int((~good).sum()),
    }


def _ends(score: np.ndarray) -> tuple[float, float]:
    low, high = score.min(), score.max()
    least = LEAST * max(abs(low), abs(high))
    room = 0.0 if high - low > least else max(0.5, least)
    return low - room, high + room


def _calibration(target: np.ndarray, score: np.ndarray) -> list[dict[str, float]]:
    place, bins = tenths(score)
    parts = [part for part in (np.flatnonzero(place == one) for one in range(bins)) if part.size]
    return [
        {"score": score[part].mean(), "target": target[part].mean(), "rows": part.size}
        for part in parts
    ]
