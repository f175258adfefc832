"""The parts of the study: planted losses are exact, and tables and picture are written."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.gate_study import page
from benchmarks.gate_study.planted import BY_GROUP, BY_ROW, WORSE_MODEL, amount_for, directions
from benchmarks.gate_study.population import Population, loss, verdict
from mlops.errors import UserError
from mlops.rules import Verdict
from mlops.statistics.bootstrap import Estimate
from mlops.statistics.metrics import BUILT_IN

LOG_LOSS = BUILT_IN["log_loss"]


@pytest.fixture(scope="module")
def days():
    """Labels, a good and a poor probability of them, and the day, on 25 days of 100 rows."""
    random = np.random.default_rng(4)
    group = np.repeat(np.arange(25), 100)
    good = random.beta(2, 5, 2500)
    target = (random.random(2500) < good).astype(int)
    return target, good, np.full(2500, target.mean()), group


def lost(metric, days, score):
    """How much worse a score is than the good one."""
    target, good, _, group = days
    return loss(metric, Population(metric, target, group, score, good).truth)


@pytest.mark.parametrize("kind", [BY_ROW, BY_GROUP, WORSE_MODEL])
def test_what_is_planted_is_the_truth(days, kind):
    """A candidate planted to lose .02 loses .02 over the population."""
    target, good, poor, group = days
    direction = directions(target, good, poor, group, 0)[kind]
    amount = amount_for(lambda far: lost(LOG_LOSS, days, direction.moved(far)), 0.02)
    assert lost(LOG_LOSS, days, direction.moved(amount)) == pytest.approx(0.02, rel=0.01)


def test_not_moved_is_not_changed(days):
    """Distance 0 is the champion itself."""
    target, good, poor, group = days
    for direction in directions(target, good, poor, group, 0).values():
        np.testing.assert_allclose(direction.moved(0.0), good)


def test_a_loss_that_no_distance_gives_is_none():
    """For example, shared noise cannot remove the ranking within days from the AUC."""
    assert amount_for(lambda far: 0.01 * far / (1 + far), 0.02) is None


def test_numbers_are_moved_as_they_are(days):
    """The scores of a regression have no log odds."""
    target, good, poor, group = days
    direction = directions(target + 0.5, good, poor, group, 0)[WORSE_MODEL]
    np.testing.assert_allclose(direction.moved(1.0), poor)


def test_the_truth_is_the_metric_over_all_groups(days):
    """scikit-learn's difference on all rows, whatever is drawn from them later."""
    from sklearn.metrics import roc_auc_score

    target, good, _, group = days
    other = np.round(good, 1)
    truth = Population(BUILT_IN["auc"], target, group, other, good).truth
    assert truth == pytest.approx(roc_auc_score(target, other) - roc_auc_score(target, good))


def test_intervals_of_drawn_months_hold_the_truth(days):
    """About 95 of 100 do, here of 200 months of 25 days; plain quantiles fewer."""
    target, good, poor, group = days
    shares = Population(LOG_LOSS, target, group, poor, good).coverage(25, 200, seed=0)
    assert 0.90 <= shares["gate"] <= 0.99
    assert shares["plain"] <= shares["gate"]


def test_a_model_against_itself_always_passes(days):
    """Equal scores differ in no drawn month."""
    target, good, _, group = days
    population = Population(LOG_LOSS, target, group, good, good)
    assert population.verdicts(0.01, 25, 20, seed=0) == Counter({Verdict.PASS: 20})


def test_a_great_regression_always_fails(days):
    """A constant in place of a model, against a margin a tenth of what it loses."""
    target, good, poor, group = days
    population = Population(LOG_LOSS, target, group, poor, good)
    counts = population.verdicts(population.truth / 10, 25, 20, seed=0)
    assert counts == Counter({Verdict.FAIL: 20})


@pytest.mark.parametrize(
    "low, high, expected",
    [(-0.01, 0.01, "pass"), (-0.03, -0.01, "fail"), (-0.03, 0.01, "inconclusive")],
)
def test_the_verdict_is_the_gate_s_own(low, high, expected):
    """AUC: lower is worse; .02 is allowed."""
    result = verdict({BUILT_IN["auc"]: Estimate((low + high) / 2, low, high)}, {"auc": 0.02})
    assert result == expected


def test_tables_go_between_the_markers_and_nowhere_else():
    """What people wrote around them stays, and writing twice changes nothing."""
    text = f"before\n\n{page.BEGIN}\nold\n{page.END}\n\nafter\n"
    once = page.put(text, r"| \1 |")
    assert once == f"before\n\n{page.BEGIN}\n\n| \\1 |\n\n{page.END}\n\nafter\n"
    assert page.put(once, r"| \1 |") == once


def test_a_page_without_markers_is_refused():
    """Tables are never put somewhere by guess."""
    with pytest.raises(UserError, match="lacks the lines"):
        page.put("nothing here", "table")


def test_the_picture_is_the_same_each_time():
    """No date and no random ids: a new picture means new figures."""
    verdicts = {
        ("auc", "noise by group", size, 1): Counter({Verdict.FAIL: 9, Verdict.PASS: 1})
        for size in (0.5, 1.0, 2.0, 3.0)
    }
    assert page.picture(verdicts) == page.picture(verdicts)
