"""What the plots of a report are drawn from: small tables instead of every score."""

from typing import Any

import numpy as np

BINS = 10


def curves(target: np.ndarray, score: np.ndarray) -> dict[str, Any]:
    """Return calibration (mean score and target by tenths of the score) and a histogram of scores.

    Target and score are (rows,). Scores that are no number are left out and counted as `unplotted`.
    """
    good = np.isfinite(score)
    target, score = target[good].astype(float), score[good]
    tenths = [part for part in np.array_split(np.argsort(score, kind="stable"), BINS) if part.size]
    counts, edges = np.histogram(score, 2 * BINS) if score.size else ([], [])
    return {
        "calibration": [
            {"score": score[part].mean(), "target": target[part].mean(), "rows": part.size}
            for part in tenths
        ],
        "histogram": {"edges": [float(edge) for edge in edges], "rows": [int(n) for n in counts]},
        "unplotted": int((~good).sum()),
    }
