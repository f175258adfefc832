"""Metrics equal scikit-learn's on all rows, and on every resampled set of rows."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from mlops.errors import UserError
from mlops.statistics import metrics, selection
from mlops.statistics.bootstrap import draws

ROWS, GROUPS = 3000, 12


def calibration_error(target, score, sample_weight):
    """The definition, bin by bin: rows by score, cut into tenths, equal scores in one bin."""
    edges = sorted({np.quantile(score, tenth / 10) for tenth in range(1, 10)})
    total = 0.0
    for low, high in zip([-np.inf, *edges], [*edges, np.inf]):
        inside = (low < score) & (score <= high)
        weight = sample_weight[inside]
        if weight.sum():
            outcome, mean = (np.average(x[inside], weights=weight) for x in (target, score))
            total += weight.sum() * abs(outcome - mean)
    return total / sample_weight.sum()


REFERENCE = {
    "auc": reference.roc_auc_score,
    "log_loss": reference.log_loss,
    "brier": reference.brier_score_loss,
    "mae": reference.mean_absolute_error,
    "rmse": reference.root_mean_squared_error,
    "r2": reference.r2_score,
    "pinball": reference.mean_pinball_loss,
    "calibration": calibration_error,
    "accuracy": lambda target, score, sample_weight: reference.accuracy_score(
        target, score >= 0.5, sample_weight=sample_weight
    ),
    "f1": lambda target, score, sample_weight: reference.f1_score(
        target, score >= 0.5, sample_weight=sample_weight
    ),
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
    values = metrics.BUILT_IN[name].prepare(target, score, group, GROUPS)(weights)
    expected = [REFERENCE[name](target, score, sample_weight=weight[group]) for weight in weights]
    np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_the_docs_list_every_built_in_and_which_way_is_better():
    """machinery/docs/gate.md lists every built-in metric."""
    text = (
        Path("machinery/docs/gate.md").read_text("utf-8").split("Built in are:")[1].split("\n\n")[1]
    )
    rows = [
        [cell.split(", ") for cell in re.split(r" *\| *", line)[1:-1]] for line in text.split("\n")
    ]
    listed = {
        name: way
        for names, _, ways in rows[2:]
        for name, way in zip(names, ways if len(ways) > 1 else ways * len(names))
    }
    assert listed.pop("pinball_90") == "lower"
    assert listed == {
        m.name: "higher" if m.higher_is_better else "lower" for m in metrics.BUILT_IN.values()
    }


def test_every_built_in_has_a_reference():
    """A metric without a reference would be untested."""
    assert set(metrics.BUILT_IN) == set(REFERENCE)


def value_of(metric, target, score):
    """A metric of all rows, each once."""
    group = np.zeros(len(target), int)
    return metric.prepare(np.array(target), np.array(score), group, 1)(np.ones((1, 1)))[0]


@pytest.mark.parametrize("percent", [10, 90])
def test_a_quantile_is_judged_by_its_own_loss(rows, percent):
    """pinball_90 is the loss of a forecast of the ninth decile."""
    target, score, _ = rows
    (metric,) = selection.select({f"pinball_{percent}": None})
    expected = reference.mean_pinball_loss(target, score, alpha=percent / 100)
    assert value_of(metric, target, score) == pytest.approx(expected)


@pytest.mark.parametrize("name, expected", [("accuracy", 0.75), ("f1", 2 / 3)])
def test_the_team_s_threshold_predicts_the_outcome(name, expected):
    """A score of 0.4 is a yes at 0.3 and a no at 0.5."""
    (metric,) = selection.select({name: None}, threshold=0.3)
    assert value_of(metric, [1, 1, 0, 0], [0.4, 0.2, 0.1, 0.2]) == pytest.approx(expected)


def test_r2_keeps_its_digits_far_from_zero():
    """Timestamps vary little relative to their size."""
    target = np.array([2e9, 2e9 + 1, 2e9 + 2])
    assert value_of(metrics.BUILT_IN["r2"], target, target + [0.5, 0, 0]) == pytest.approx(0.875)


@pytest.mark.parametrize("name", [name for name, m in metrics.BUILT_IN.items() if m.constant])
def test_no_other_constant_is_better(rows, name):
    """gate.beat_constant compares with the best constant prediction."""
    target, metric = rows[0], metrics.BUILT_IN[name]
    sign = 1 if metric.higher_is_better else -1
    best = value_of(metric, target, np.full(ROWS, metric.constant(target)))
    others = [value_of(metric, target, np.full(ROWS, c)) for c in np.linspace(0.01, 0.99, 9)]
    assert all(sign * best >= sign * other - 1e-12 for other in others)


@pytest.mark.parametrize("name", metrics.BUILT_IN)
def test_a_target_of_true_and_false_is_one_of_1_and_0(rows, name):
    """numpy cannot subtract booleans."""
    target, score, metric = rows[0], rows[1], metrics.BUILT_IN[name]
    assert value_of(metric, target == 1, score) == value_of(metric, target, score)
    if metric.constant:
        assert metric.constant(target == 1) == metric.constant(target)


def test_log_loss_of_a_certain_mistake_is_finite():
    """As scikit-learn does, a score of 0 or 1 is clipped."""
    metric = metrics.BUILT_IN["log_loss"]
    value = metric.prepare(np.array([1, 0]), np.array([0.0, 0.5]), np.array([0, 0]), 1)
    assert np.isfinite(value(np.ones((1, 1)))).all()


def test_a_team_metric_is_the_mean_of_its_losses():
    """A team's function becomes a metric with its name; lower is better."""

    def missed(target, score):
        return (target == 1) & (score < 0.5)

    (metric,) = selection.select({"missed": missed})
    value = metric.prepare(np.array([1, 1, 0]), np.array([0.2, 0.9, 0.1]), np.zeros(3, int), 1)
    assert value(np.ones((1, 1)))[0] == pytest.approx(1 / 3)
    assert (metric.name, metric.higher_is_better) == ("missed", False)


def test_a_team_metric_of_the_wrong_shape_is_refused():
    """One number for all rows is a common mistake; the message names the expected shape."""

    def total(target, score):
        return np.sum(target - score)

    (metric,) = selection.select({"total": total})
    with pytest.raises(UserError, match="total returned shape .* one loss a row"):
        metric.prepare(np.array([1, 0]), np.array([0.5, 0.5]), np.zeros(2, int), 1)


def test_an_unknown_name_is_refused_with_the_valid_ones():
    """A typing error never leaves a metric out silently."""
    with pytest.raises(UserError, match="METRICS names aux.*auc, log_loss"):
        selection.select({"aux": None, "auc": None})


@pytest.mark.parametrize("target", [[0, 1, 2], [1, 2], [-1, 1]])
def test_metrics_of_labels_refuse_a_target_of_other_numbers(target):
    """With ten digits all but 1 would count as no, and the AUC would be meaningless."""
    chosen = selection.select({"mae": None, "auc": None, "accuracy": None})
    with pytest.raises(
        UserError, match=rf"auc, accuracy, which .* {len(target)} value.*{target[0]}"
    ):
        selection.require_labels(chosen, np.array(target))


@pytest.mark.parametrize(
    ("names", "target"), [(["auc"], [0, 1]), (["brier"], [True, False]), (["mae", "r2"], [0.5, 7])]
)
def test_a_target_is_judged_by_metrics_that_fit_it(names, target):
    """Labels by any metric, numbers by those of numbers."""
    selection.require_labels(selection.select(dict.fromkeys(names)), np.array(target))


def test_a_loss_of_one_s_own_may_have_a_best_constant():
    """Its function names the constant for some targets; without it nothing is compared."""
    target = np.random.default_rng(0).exponential(size=ROWS)

    def asymmetric(target, score):
        return np.where(score < target, 3.0, 1.0) * np.abs(score - target)

    (plain,) = selection.select({"asymmetric": asymmetric})
    assert plain.constant is None
    asymmetric.constant = lambda target: np.quantile(target, 0.75)
    (metric,) = selection.select({"asymmetric": asymmetric})
    best = value_of(metric, target, np.full(ROWS, metric.constant(target)))
    assert best < value_of(metric, target, np.full(ROWS, np.median(target)))
    assert best < value_of(metric, target, np.full(ROWS, np.quantile(target, 0.9)))
