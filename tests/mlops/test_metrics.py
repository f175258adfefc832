"""Metrics equal scikit-learn's on all rows, and on every resampled set of rows."""

import numpy as np
import pytest
from sklearn import metrics as reference

from mlops import metrics
from mlops.bootstrap import draws
from mlops.errors import UserError

ROWS, GROUPS = 3000, 12
REFERENCE = {
    "auc": reference.roc_auc_score,
    "log_loss": reference.log_loss,
    "brier": reference.brier_score_loss,
    "mae": reference.mean_absolute_error,
    "rmse": reference.root_mean_squared_error,
}


@pytest.fixture(scope="module")
def rows():
    """Labels, scores with many ties, and a group a row; one group holds one class only."""
    random = np.random.default_rng(7)
    group = random.integers(0, GROUPS, ROWS)
    score = np.round(random.beta(2, 5, ROWS), 2)
    target = (random.random(ROWS) < score).astype(int)
    target[group == 3] = 0
    return target, score, group


@pytest.mark.parametrize("name", REFERENCE)
def test_every_replicate_equals_scikit_learn_on_the_drawn_rows(rows, name):
    """A weight for each group stands for the rows of a group drawn that often."""
    target, score, group = rows
    weights = draws(GROUPS, 20, seed=1)
    found = metrics.BUILT_IN[name].prepare(target, score, group, GROUPS)(weights)
    expected = [REFERENCE[name](target, score, sample_weight=weight[group]) for weight in weights]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_every_built_in_has_a_reference():
    """A metric added without a comparison would be believed without a reason."""
    assert set(metrics.BUILT_IN) == set(REFERENCE)


def test_log_loss_of_a_certain_mistake_is_finite():
    """As scikit-learn does, a score of 0 or 1 is clipped."""
    metric = metrics.BUILT_IN["log_loss"]
    value = metric.prepare(np.array([1, 0]), np.array([0.0, 0.5]), np.array([0, 0]), 1)
    assert np.isfinite(value(np.ones((1, 1)))).all()


def test_a_team_metric_is_the_mean_of_its_losses():
    """A function of the team's becomes a metric of its name, lower is better."""

    def missed(target, score):
        return (target == 1) & (score < 0.5)

    (metric,) = metrics.chosen({"missed": missed})
    value = metric.prepare(np.array([1, 1, 0]), np.array([0.2, 0.9, 0.1]), np.zeros(3, int), 1)
    assert value(np.ones((1, 1)))[0] == pytest.approx(1 / 3)
    assert (metric.name, metric.higher_is_better) == ("missed", False)


def test_a_team_metric_of_the_wrong_shape_is_refused():
    """One number for all rows is a common slip; it says what is asked for."""

    def total(target, score):
        return np.sum(target - score)

    (metric,) = metrics.chosen({"total": total})
    with pytest.raises(UserError, match="total returned shape .* one loss a row"):
        metric.prepare(np.array([1, 0]), np.array([0.5, 0.5]), np.zeros(2, int), 1)


def test_an_unknown_name_is_refused_with_those_there_are():
    """A typing error never leaves a metric out silently."""
    with pytest.raises(UserError, match="METRICS names aux.*auc, log_loss"):
        metrics.chosen({"aux": None, "auc": None})
