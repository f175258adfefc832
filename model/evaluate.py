"""What a good model is here: the metrics that the report shows and the gate judges."""

import numpy as np

THRESHOLD = 0.5


def error_rate(target: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Per flight: 1 where "late" or "on time", called at even odds, turned out wrong, else 0."""
    return (score >= THRESHOLD) != (target == 1)


# Names are the machinery's own metrics; a function gives a loss a row, and its mean is the metric.
METRICS = ("auc", "log_loss", "brier", error_rate)
