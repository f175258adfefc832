"""The metrics that the report shows and the gate judges."""

import numpy as np

THRESHOLD = 0.5


def error_rate(target: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return 1 for each flight whose prediction at even odds is wrong, else 0."""
    return (score >= THRESHOLD) != (target == 1)


# Names are built-in metrics; a function returns a loss for each row, and the metric is its mean.
METRICS = ("auc", "log_loss", "brier", error_rate)
