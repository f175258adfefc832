"""The report draws the same bins as the rules and metrics use, whatever the scores."""

import numpy as np
import pytest

from mlops.statistics.curves import curves
from mlops.statistics.metrics import BUILT_IN

OUTCOMES = (np.random.default_rng(0).random(1000) < np.linspace(0, 0.3, 1000)).astype(int)
SCORES = {
    "one a row": np.random.default_rng(1).random(1000),
    "with ties": np.random.default_rng(2).integers(0, 4, 1000) / 4,
    "the mean of a drifting outcome": np.full(1000, OUTCOMES.mean()),
}


@pytest.mark.parametrize("scores", SCORES)
def test_the_rule_and_the_plot_use_the_bins_of_the_metric(scores):
    """Equal scores share a bin; else drift in the order of rows would look like an error."""
    score = SCORES[scores]
    drawn = curves(OUTCOMES, score)["calibration"]
    error = sum(abs(one["score"] - one["target"]) * one["rows"] for one in drawn) / 1000
    metric = BUILT_IN["calibration"].prepare(OUTCOMES, score, np.zeros(1000, int), 1)
    assert error == pytest.approx(metric(np.ones((1, 1)))[0], abs=1e-12)
    assert len(drawn) == min(10, len(np.unique(score)))
    assert sum(one["rows"] for one in drawn) == 1000


@pytest.mark.parametrize(
    "score",
    [
        [0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 0)],
        [1e17] * 3,
        [1.0, np.nan, np.inf],
        [np.nan],
        [],
    ],
    ids=str,
)
def test_scores_too_close_for_steps_are_drawn_all_the_same(score):
    """A model that learnt almost nothing gives scores that differ by rounding only."""
    drawn = curves(np.zeros(len(score)), np.array(score, dtype=float))
    rows, edges = drawn["histogram"]["rows"], drawn["histogram"]["edges"]
    assert sum(rows) + drawn["unplotted"] == len(score)
    assert all(low < high for low, high in zip(edges, edges[1:]))
