"""Drift by day: what is usual is no drift, what is broken or another season is."""

import numpy as np
import pandas as pd
import pytest

from mlops.monitor.drift import Rows, shift, told_apart, usual
from mlops.training import contract


def made_up(days, rows=60, seed=0, **columns):
    """Rows of several days whose weather differs from day to day."""
    random = np.random.default_rng(seed)
    day = np.repeat([f"{number:03}" for number in range(days)], rows)
    weather = np.repeat(random.normal(0, 5, days), rows) + random.normal(0, 1, days * rows)
    town = random.choice(["A", "B", "C"], days * rows)
    frame = pd.DataFrame(
        {"weather": weather, "town": town, "seats": random.integers(1, 9, len(day))}
    )
    return Rows(frame.assign(**columns), day)


def test_the_usual_is_the_farthest_stretch_of_training():
    """Three quiet days, then three others: a stretch of three is as far as it gets."""
    counts = np.array([[10, 0]] * 3 + [[0, 10]] * 3)
    assert usual(counts, 3) == pytest.approx(2 * np.log(30.5 / 0.5) * 30 / 31)


def test_a_short_training_has_a_usual_too():
    """Half of it against the other half."""
    assert usual(np.array([[5, 5], [5, 5]]), 30) == 0


def test_a_single_day_of_training_tells_nothing_usual():
    """Compared with no row at all it would differ from itself, and no drift would be seen."""
    assert usual(np.array([[900, 100]]), 30) == 0


def test_days_alike_have_not_moved():
    """Other days of the same kind, though their rows differ from day to day."""
    trained, served = made_up(60), made_up(20, seed=1)
    assert max(shift(name, trained, served).times for name in trained.frame) < 4
    assert np.mean(told_apart(trained, served, list(trained.frame))) < 0.9


@pytest.mark.parametrize(
    "broken",
    [
        {"seats": np.nan},
        {"seats": 400.0},
        {"town": None},
        {"town": "D"},
        {"weather": 30.0},
    ],
    ids=str,
)
def test_a_broken_column_is_seen(broken):
    """Gone, constant, in another unit or of another kind."""
    (name,) = broken
    trained, served = made_up(60), made_up(20, seed=1, **broken)
    assert shift(name, trained, served).times > 4
    assert np.mean(told_apart(trained, served, list(trained.frame))) > 0.95


def test_numbers_as_the_log_has_them_fall_into_their_bins():
    """JSON and pandas make floats of whole numbers where some are missing."""
    trained, served = made_up(20), made_up(20)
    served.frame["seats"] = served.frame["seats"].astype(float)
    assert shift("seats", trained, served).psi == 0


def test_more_categories_than_a_classifier_takes(recwarn):
    """The most frequent count, the rest are as if missing."""
    names = np.array([f"T{number % 700}" for number in range(3600)])
    trained, served = made_up(60, town=names), made_up(20, town=names[:1200])
    assert len(told_apart(trained, served, ["town"])) == 4
    assert not recwarn.list


@pytest.mark.parametrize("first", [0, 60])
def test_a_column_without_any_value_on_half_of_the_days(first):
    """Bins cannot be made of nothing; the other columns are asked, or nothing is told apart."""
    values = np.where(np.arange(480) < first, 1.0, np.nan)
    trained, served = made_up(8, empty=values), made_up(8, empty=values)
    for asked in (["empty", "weather"], ["empty"]):
        assert np.mean(told_apart(trained, served, asked)) < 0.7


def test_few_days_are_not_asked():
    """With three days there is nothing to split."""
    assert told_apart(made_up(3), made_up(20), ["town"]) == []


@pytest.mark.example
@pytest.mark.parametrize(
    "trained, served, drifted",
    [(["2013-07"], "2013-08", False), (["2013-01", "2013-02"], "2013-07", True)],
)
def test_seasons_of_the_example(trained, served, drifted):
    """A month is like the one before it; July is not like winter."""

    def months(names):
        frame = contract.load(names).frame
        return Rows(frame.drop(columns=["date", "late"]), frame["date"].astype(str).to_numpy(str))

    before, after = months(trained), months([served])
    columns = list(before.frame)
    assert (max(shift(name, before, after).times for name in columns) > 4) == drifted
    assert (np.mean(told_apart(before, after, columns)) > 0.9) == drifted
