"""Metrics of several numbers a row, against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as reference

from mlops.errors import UserError
from mlops.serving.answer import Answer
from mlops.statistics.bootstrap import draws
from mlops.statistics.curves import curves
from mlops.statistics.leakage import strengths
from mlops.statistics.parts import measure as figures
from mlops.statistics.selection import select
from mlops.statistics.slices import ScoredRows

ROWS, GROUPS, COUNT = 600, 30, 4
CLASSES = Answer("classes", ("a", "b", "c", "d"))
OUTPUTS = Answer("outputs", ("x", "y", "z"))
QUANTILES = Answer("quantiles", ("0.1", "0.5", "0.9"))


@pytest.fixture(scope="module", name="classified")
def _classified():
    """Positions of classes, the first the most frequent, and probabilities that often hit."""
    random = np.random.default_rng(0)
    target = random.choice(COUNT, ROWS, p=[0.4, 0.3, 0.2, 0.1])
    score = random.dirichlet(np.ones(COUNT), ROWS) + np.eye(COUNT)[target] * random.random(
        (ROWS, 1)
    )
    return target, score / score.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module", name="measured")
def _measured():
    """Three outputs of different size, and scores near them."""
    random = np.random.default_rng(1)
    target = random.normal(0, [1, 10, 100], (ROWS, 3))
    return target, target + random.normal(0, [0.5, 5, 20], (ROWS, 3))


@pytest.fixture(scope="module", name="spread")
def _spread():
    """A target and its true quantiles, but for a tenth of the rows, where they cross."""
    random = np.random.default_rng(2)
    centre = random.normal(0, 3, ROWS)
    score = centre[:, None] + np.array([-1.2816, 0, 1.2816])
    score[: ROWS // 10] = score[: ROWS // 10, ::-1]
    return centre + random.normal(0, 1, ROWS), score


def values(name, answer, target, score):
    """The metric over all rows, and over each bootstrap replicate with the rows it stands for."""
    (metric,) = select({name: None}, answer)
    group = np.arange(len(target)) % GROUPS
    weights = np.vstack([np.ones(GROUPS), draws(GROUPS, 3, 0)])
    rows = [np.repeat(np.arange(len(target)), row[group].astype(int)) for row in weights]
    return metric.prepare(target, score, group, GROUPS)(weights), rows


CLASS_REFERENCES = {
    "auc": lambda t, s: reference.roc_auc_score(t, s, multi_class="ovr"),
    "log_loss": lambda t, s: reference.log_loss(t, s, labels=range(COUNT)),
    "brier": lambda t, s: ((s - np.eye(COUNT)[t]) ** 2).sum(axis=1).mean(),
    "accuracy": lambda t, s: reference.accuracy_score(t, s.argmax(axis=1)),
    "f1": lambda t, s: reference.f1_score(t, s.argmax(axis=1), average="macro"),
    "recall": lambda t, s: reference.recall_score(t, s.argmax(axis=1), average="macro"),
}


@pytest.mark.parametrize("name", CLASS_REFERENCES)
def test_metrics_of_classes_are_scikit_learn_s(classified, name):
    target, score = classified
    found, replicates = values(name, CLASSES, target, score)
    expected = [CLASS_REFERENCES[name](target[rows], score[rows]) for rows in replicates]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_class_that_no_row_has_leaves_the_means(classified):
    """Its AUC and recall are undefined; the other classes still count."""
    target, score = classified
    rows = target != 3
    for name in ("auc", "recall"):
        found, _ = values(name, CLASSES, target[rows], score[rows])
        assert np.isfinite(found).all() and 0.5 < found[0] < 1


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("mae", reference.mean_absolute_error),
        ("r2", reference.r2_score),
        ("rmse", reference.root_mean_squared_error),
    ],
)
def test_metrics_of_outputs_are_their_means(measured, name, function):
    target, score = measured
    found, replicates = values(name, OUTPUTS, target, score)
    expected = [function(target[rows], score[rows]) for rows in replicates]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_several_yes_or_no_answers_have_the_metrics_of_one(measured):
    """Labels of 0 and 1 in each column: several labels a row."""
    target, score = (measured[0] > 0).astype(int), 1 / (1 + np.exp(-measured[1] / 100))
    found, replicates = values("log_loss", OUTPUTS, target, score)
    expected = [
        np.mean([reference.log_loss(target[rows, n], score[rows, n]) for n in range(3)])
        for rows in replicates
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("level", [10, 50, 90])
def test_each_quantile_has_its_pinball_loss(spread, level):
    target, score = spread
    found, replicates = values(f"pinball_{level}", QUANTILES, target, score)
    column = [10, 50, 90].index(level)
    expected = [
        reference.mean_pinball_loss(target[rows], score[rows, column], alpha=level / 100)
        for rows in replicates
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_quantiles_that_cross_and_cover_too_little_are_seen(spread):
    target, score = spread
    assert values("crossing", QUANTILES, target, score)[0][0] == pytest.approx(0.1)
    assert values("coverage", QUANTILES, target, score)[0][0] < 0.1
    narrow = np.repeat(score[:, 1:2], 3, axis=1)
    assert values("coverage", QUANTILES, target, narrow)[0][0] == pytest.approx(0.27, abs=0.03)


def test_the_best_constant_is_the_best(classified, measured, spread):
    """No other constant answer scores better than the one that M104 compares with."""
    cases = [
        (CLASSES, classified, ("log_loss", "brier", "accuracy")),
        (OUTPUTS, measured, ("mae", "rmse", "r2")),
        (QUANTILES, spread, ("pinball", "mae")),
    ]
    random = np.random.default_rng(3)
    for answer, (target, _), names in cases:
        for name in names:
            (metric,) = select({name: None}, answer)
            best = np.asarray(metric.constant(target), dtype=float)
            others = [best + random.normal(0, 0.05, best.shape) for _ in range(20)]
            if answer is CLASSES:
                others = [abs(one) / abs(one).sum() for one in others]
            sign = 1 if metric.higher_is_better else -1
            scored = [
                sign * values(name, answer, target, np.tile(one, (len(target), 1)))[0][0]
                for one in (best, *others)
            ]
            assert scored[0] >= max(scored[1:]) - 1e-9, (name, answer.kind)


def test_a_metric_of_another_kind_is_refused_with_the_valid_ones():
    with pytest.raises(
        UserError, match="names mae, .* for 4 classes .*: auc|names mae, .*auc, log"
    ):
        select({"mae": None}, CLASSES)
    with pytest.raises(UserError, match="names log_loss"):
        select({"log_loss": None}, QUANTILES)
    with pytest.raises(UserError, match="names pinball_25"):
        select({"pinball_25": None}, QUANTILES)


def test_a_loss_of_the_team_s_sees_all_numbers(classified):
    """One loss a row, of whatever the row has."""

    def cost(target, score):
        """Return 5 where class d was missed, else 1 for a mistake."""
        missed = score.argmax(axis=1) != target
        return np.where(target == 3, 5, 1) * missed

    target, score = classified
    (metric,) = select({"cost": cost}, CLASSES)
    value = metric.prepare(target, score, np.zeros(ROWS, int), 1)(np.ones((1, 1)))[0]
    assert value == pytest.approx(cost(target, score).mean())


def test_calibration_is_of_the_likeliest_class_and_of_each_quantile(classified, spread):
    target, score = classified
    tenths = curves(target, score, CLASSES)["calibration"]
    hits = sum(tenth["target"] * tenth["rows"] for tenth in tenths) / ROWS
    assert hits == pytest.approx((score.argmax(axis=1) == target).mean())
    drawn = curves(*spread, QUANTILES)["calibration"]
    assert [point["score"] for point in drawn] == [0.1, 0.5, 0.9]
    assert drawn[1]["target"] == pytest.approx(0.5, abs=0.06)


def test_a_feature_that_knows_one_class_leaks(classified):
    """The mean over the classes would hide it."""
    import pandas as pd

    target, _ = classified
    frame = pd.DataFrame({"knows_d": target == 3, "noise": np.random.default_rng(4).random(ROWS)})
    found = strengths(frame, ("knows_d", "noise"), target, None, CLASSES)
    assert found["measure"] == "auc"
    assert found["strength"]["knows_d"] > 0.99 > 0.7 > found["strength"]["noise"]


def test_the_figures_of_each_class_are_scikit_learn_s(classified):
    target, score = classified
    rows = ScoredRows(None, target, None, score, None, CLASSES)
    parts = figures(rows)["parts"]
    likeliest = score.argmax(axis=1)
    assert parts["confusion"] == reference.confusion_matrix(target, likeliest).tolist()
    expected = reference.recall_score(target, likeliest, average=None)
    np.testing.assert_allclose(parts["candidate"]["recall"], expected)
    assert "champion" not in parts
