"""Drift by day: a usual change is no drift; a broken column or another season is."""

import numpy as np
import pandas as pd
import pytest

from mlops.monitor.drift import DatedRows, classifier_aucs, shift
from mlops.statistics.drift import usual_by_day
from mlops.training import partitions


def synthetic(days, rows=60, seed=0, **columns):
    """Rows of several days whose weather differs from day to day."""
    random = np.random.default_rng(seed)
    day = np.repeat([f"{number:03}" for number in range(days)], rows)
    weather = np.repeat(random.normal(0, 5, days), rows) + random.normal(0, 1, days * rows)
    town = random.choice(["A", "B", "C"], days * rows)
    frame = pd.DataFrame(
        {"weather": weather, "town": town, "seats": random.integers(1, 9, len(day))}
    )
    return DatedRows(frame.assign(**columns), day)


def test_the_usual_index_is_the_largest_of_a_stretch():
    """Three days of one kind, then three of another: a stretch of three differs most."""
    counts = np.array([[10, 0]] * 3 + [[0, 10]] * 3)
    assert usual_by_day(counts, 3) == pytest.approx(2 * np.log(30.5 / 0.5) * 30 / 31)


def test_a_short_training_has_a_usual_index_too():
    """A stretch is at most half of the days."""
    assert usual_by_day(np.array([[5, 5], [5, 5]]), 30) == 0


def test_one_training_day_has_no_usual_index_by_day():
    """There is no other day to compare with, so the index is 0."""
    assert usual_by_day(np.array([[900, 100]]), 30) == 0


def test_similar_days_have_not_drifted():
    """Other days of the same kind, though their rows differ from day to day."""
    trained, served = synthetic(60), synthetic(20, seed=1)
    assert max(shift(name, trained, served).times for name in trained.frame) < 4
    assert np.mean(classifier_aucs(trained, served, list(trained.frame))) < 0.9


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
def test_a_broken_column_is_detected(broken):
    """Missing, constant, in another unit or of another category."""
    (name,) = broken
    trained, served = synthetic(60), synthetic(20, seed=1, **broken)
    assert shift(name, trained, served).times > 4
    assert np.mean(classifier_aucs(trained, served, list(trained.frame))) > 0.95


def test_floats_in_the_log_fall_into_the_bins_of_integers():
    """pandas converts integers with missing values to floats."""
    trained, served = synthetic(20), synthetic(20)
    served.frame["seats"] = served.frame["seats"].astype(float)
    assert shift("seats", trained, served).psi == 0


def test_more_categories_than_the_classifier_accepts(recwarn):
    """The most frequent are used, the others count as missing."""
    names = np.array([f"T{number % 700}" for number in range(3600)])
    trained, served = synthetic(60, town=names), synthetic(20, town=names[:1200])
    assert len(classifier_aucs(trained, served, ["town"])) == 4
    assert not recwarn.list


@pytest.mark.parametrize("first", [0, 60])
def test_a_column_without_any_value_on_half_of_the_days(first):
    """The classifier uses the other columns; without any it separates nothing."""
    values = np.where(np.arange(480) < first, 1.0, np.nan)
    trained, served = synthetic(8, empty=values), synthetic(8, empty=values)
    for columns in (["empty", "weather"], ["empty"]):
        assert np.mean(classifier_aucs(trained, served, columns)) < 0.7


def test_few_days_are_not_classified():
    """Three days are too few to split."""
    assert classifier_aucs(synthetic(3), synthetic(20), ["town"]) == []


@pytest.mark.example
@pytest.mark.parametrize(
    "trained, served, drifted",
    [(["2013-07"], "2013-08", False), (["2013-01", "2013-02"], "2013-07", True)],
)
def test_seasons_of_the_example(trained, served, drifted):
    """A month is like the one before it; July is not like winter."""

    def months(names):
        frame = partitions.load(names).frame
        return DatedRows(
            frame.drop(columns=["date", "late"]), frame["date"].astype(str).to_numpy(str)
        )

    before, after = months(trained), months([served])
    columns = list(before.frame)
    assert (max(shift(name, before, after).times for name in columns) > 4) == drifted
    assert (np.mean(classifier_aucs(before, after, columns)) > 0.9) == drifted
