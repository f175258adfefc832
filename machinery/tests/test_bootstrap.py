"""Intervals respect that rows of one group depend on each other, and pair the two models."""

import numpy as np
import pytest

from mlops.config.params import EvaluateParams
from mlops.statistics.bootstrap import Comparison, groups_of, tails
from mlops.statistics.metrics import BUILT_IN


def compare(target, group, seed=0):
    """A comparison with the settings of the tests."""
    return Comparison(target, group, EvaluateParams(replicates=1000, seed=seed))


@pytest.fixture(scope="module")
def days():
    """30 days whose errors are shared by the rows of a day, and two models with like scores."""
    random = np.random.default_rng(3)
    group = np.repeat(np.arange(30), 200)
    base = random.normal(0, 1, 30)[group] + random.normal(0, 0.2, 6000)
    target = base + random.normal(0, 0.1, 6000)
    return target, group, base, base + random.normal(0, 0.01, 30)[group]


def width(estimate):
    """The length of an interval."""
    return estimate.high - estimate.low


def test_the_same_seed_gives_the_same_interval(days):
    """A verdict does not depend on the time of its run."""
    target, group, score, _ = days
    first, second = (
        compare(target, group).estimates(BUILT_IN["mae"], score, None) for _ in range(2)
    )
    assert first == second


def test_dependent_rows_widen_the_interval(days):
    """Counting rows of one day as independent makes intervals far too narrow."""
    target, group, _, _ = days
    score = np.zeros_like(target)
    by_day = compare(target, group).estimates(BUILT_IN["mae"], score, None)["candidate"]
    by_row = compare(target, None).estimates(BUILT_IN["mae"], score, None)["candidate"]
    assert width(by_day) > 4 * width(by_row)


def test_pairing_narrows_the_difference(days):
    """The variation that both models share cancels in the difference."""
    target, group, one, other = days
    estimates = compare(target, group).estimates(BUILT_IN["rmse"], one, other)
    assert width(estimates["difference"]) < width(estimates["candidate"])


def test_a_model_against_itself_differs_by_nothing(days):
    """The difference is exactly 0, not nearly."""
    target, group, score, _ = days
    difference = compare(target, group).estimates(BUILT_IN["mae"], score, score)["difference"]
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_intervals_cover_the_truth():
    """Of 95 % intervals on 60 groups, about 95 % hold the true mean (here 400 experiments)."""
    hits, random = 0, np.random.default_rng(11)
    group = np.repeat(np.arange(60), 5)
    for seed in range(400):
        target = random.normal(0, 1, 60)[group] + random.normal(0, 1, 300) + 5
        metric = compare(target, group, seed)
        interval = metric.estimates(BUILT_IN["mae"], np.zeros(300), None)["candidate"]
        hits += interval.low <= 5 <= interval.high
    assert 0.91 <= hits / 400 <= 0.98


def test_independent_rows_get_the_interval_of_theory():
    """Without groups the width is 2 x 1.96 standard errors."""
    target = np.random.default_rng(5).normal(10, 2, 20_000)
    estimates = compare(target, None).estimates(BUILT_IN["mae"], np.zeros(20_000), None)
    assert width(estimates["candidate"]) == pytest.approx(2 * 1.96 * 2 / 20_000**0.5, rel=0.1)


def test_few_groups_move_the_ends_outwards():
    """By the table of Student's t: 2.045 for 29 degrees of freedom, times the root of 30/29."""
    low, high = tails(0.95, 30)
    assert (low, high) == pytest.approx((0.0188, 0.9812), abs=1e-4)
    assert tails(0.95, 100_000) == pytest.approx((0.025, 0.975), abs=1e-4)


def test_very_many_groups_become_few_of_the_same_variance():
    """One group for each customer would be too many for the AUC's matrix of groups x groups."""
    random, customers = np.random.default_rng(6), np.repeat(np.arange(5000), 4)
    target = random.normal(10, 2, 5000)[customers]
    comparison = compare(target, customers)
    estimate = comparison.estimates(BUILT_IN["mae"], np.zeros(20_000), None)["candidate"]
    assert (comparison.groups, comparison.drawn) == (5000, 400)
    assert width(estimate) == pytest.approx(2 * 1.96 * 2 / 5000**0.5, rel=0.15)


def test_scores_that_are_no_number_give_no_number():
    """One NaN among the scores must not get a rank."""
    target, score = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, np.nan, 0.4])
    estimates = compare(target, np.array([0, 0, 1, 1])).estimates(BUILT_IN["auc"], score, None)
    assert np.isnan(estimates["candidate"].value)
    assert estimates["candidate"].undefined == 1


def test_a_constant_without_a_value_is_none():
    """R2 of a constant target is NaN, which JSON cannot hold."""
    assert compare(np.full(40, 7.0), None).constant(BUILT_IN["r2"]) is None


def test_draws_without_both_classes_are_counted():
    """A replicate that drew only days without late flights has no AUC."""
    target, group = np.array([0, 1, 0, 0]), np.array([0, 0, 1, 1])
    score = np.array([0.1, 0.9, 0.2, 0.3])
    estimate = compare(target, group).estimates(BUILT_IN["auc"], score, None)["candidate"]
    assert estimate.value == 1
    assert estimate.undefined == pytest.approx(0.25, abs=0.05)


def test_the_value_is_that_of_all_rows(days):
    """Not of a replicate: for the candidate and for the best constant."""
    target, group, score, _ = days
    comparison = compare(target, group)
    estimate = comparison.estimates(BUILT_IN["mae"], score, None)["candidate"]
    assert estimate.value == pytest.approx(np.abs(score - target).mean())
    best = np.abs(target - np.median(target)).mean()
    assert comparison.constant(BUILT_IN["mae"]) == pytest.approx(best)
    assert comparison.constant(BUILT_IN["auc"]) is None


def test_one_group_is_one_value_and_400_groups_are_not_merged():
    """Only more groups than that are merged at random."""
    target = np.array([1.0, 2.0, 4.0])
    estimate = compare(target, np.zeros(3)).estimates(BUILT_IN["mae"], np.zeros(3), None)[
        "candidate"
    ]
    assert estimate.low == estimate.high == estimate.value == pytest.approx(7 / 3)
    assert [groups_of(np.arange(n), n, 0)[1] for n in (399, 400, 401)] == [399, 400, 400]
    assert (groups_of(np.arange(400), 400, 0)[0] == np.arange(400)).all()
