"""The stability index moves when a column does, and only then."""

import json

import numpy as np
import pandas as pd
import pytest

from mlops.statistics.drift import drift, drifts, references
from mlops.statistics.histograms import MISSING, MOST_VALUES, OTHERS, histogram


def column(mean=0.0, size=5000, seed=0):
    """Numbers around a mean."""
    return pd.Series(np.random.default_rng(seed).normal(mean, 1, size))


def drift_of(reference, now):
    """The drift of one column."""
    return drift("x", histogram(pd.Series(reference)), pd.Series(now))


def test_the_same_rows_have_not_moved():
    """The index of a column with itself is 0."""
    assert drift_of(column(), column()).index == 0


def test_other_rows_of_the_same_kind_have_hardly_moved():
    """Chance alone stays far below a change."""
    assert drift_of(column(), column(seed=1)).index < 0.02


def test_the_index_is_the_usual_one():
    """Two values, shares (3.5, 1.5, .5, .5)/6 then (1.5, 3.5, .5, .5)/6, computed by hand."""
    index = drift_of(["a"] * 3 + ["b"], ["a"] + ["b"] * 3).index
    assert index == pytest.approx(2 * (2 / 6) * np.log(3.5 / 1.5))


def test_numbers_that_moved():
    """One standard deviation is a large shift, and the bin that gained most is named."""
    moved = drift_of(column(), column(mean=1.0))
    assert moved.index > 0.5
    assert moved.bin.startswith("above 1.2") and moved.observed > 3 * moved.expected


def test_the_bin_that_lost_most_is_named():
    """A value that vanishes is as much a change as one that spreads."""
    moved = drift_of(["a"] * 60 + ["b"] * 40, ["a"] * 70 + ["b"] * 10 + ["c"] * 20)
    assert moved.bin == "b" and moved.expected > 0.3 > 0.2 > moved.observed


def test_numbers_have_their_deciles_for_bins():
    """Each has a tenth of the rows and is named by its ends; up to ten values have a bin each."""
    reference = histogram(pd.Series(range(1, 101)))
    assert reference["edges"] == [11, 21, 31, 41, 51, 61, 71, 81, 91]
    assert reference["rows"] == [11, *[10] * 8, 9, 0]
    bins = [drift_of(range(1, 101), [now] * 99).bin for now in (1, 25, 92)]
    assert bins == ["up to 11", "21 to 31", "above 91"]
    assert "values" in histogram(pd.Series(range(10)))
    assert "edges" in histogram(pd.Series(range(11)))


def test_booleans_are_categories():
    """They have no order, and equal their text in a log."""
    assert histogram(pd.Series([True, False, True]))["values"] == ["True", "False"]
    assert drift_of(pd.Series([True, False]), ["True", "False"]).index == 0


def test_missing_values_have_a_bin():
    """Values that begin to be missing are a change."""
    now = column().where(np.arange(5000) % 2 == 0)
    assert (moved := drift_of(column(), now)).index > 0.5
    assert moved.bin == MISSING and moved.observed == pytest.approx(0.5, abs=0.01)


def test_a_category_never_seen_is_among_the_others():
    """It has no bin of its own in the reference."""
    moved = drift_of(["a", "b"] * 100, ["a", "c"] * 100)
    assert moved.index > 1 and histogram(pd.Series(["a"]))["rows"] == [1, 0, 0]
    assert drift_of(["a"] * 9, ["c"] * 9).bin in ("a", OTHERS)


def test_a_constant_that_becomes_another():
    """Deciles would not show that 0 became -1; few values have a bin each."""
    assert drift_of([0] * 100, [-1] * 100).index > 1


def test_numbers_are_compared_whatever_their_type():
    """A log holds 2.0 or 2 where the training rows hold an int8."""
    assert drift_of(pd.Series([1, 2, 2], dtype="int8"), [1.0, 2.0, 2.0]).index == 0


def test_infinite_and_missing_numbers():
    """They are counted, and the histogram stays valid JSON."""
    endless = pd.Series([*column(size=50), np.inf, -np.inf, np.nan])
    nothing = pd.Series([np.nan] * 5)
    for counts in (histogram(endless), histogram(nothing)):
        json.dumps(counts, allow_nan=False)
    assert sum(histogram(endless)["rows"]) == 53
    assert histogram(nothing)["rows"] == [0, 5]


def test_a_column_of_names_does_not_fill_the_record():
    """Only the most frequent values have a bin; the others are counted together."""
    counts = histogram(pd.Series([f"name {n}" for n in range(5000)]))
    assert len(counts["values"]) == MOST_VALUES and counts["rows"][-2:] == [4900, 0]


def test_the_order_of_rows_does_not_matter():
    """The same rows give the same record."""
    values = pd.Series(["b", "a", "c"] * 5)
    assert histogram(values) == histogram(values[::-1])


def test_the_most_drifted_column_comes_first():
    """Of the columns that both have."""
    frame = pd.DataFrame({"still": column(), "moved": column(), "gone": column()})
    now = pd.DataFrame({"new": column(), "still": column(seed=1), "moved": column(1.0)})
    assert [one.column for one in drifts(references(frame, 500), now)] == ["moved", "still"]


def test_a_seasonal_change_is_usual():
    """A column that varied in training comes after one that moved for the first time."""
    swing = np.sin(np.arange(5000) / 800) * 3
    frame = pd.DataFrame({"season": swing + column(), "steady": column(seed=1)})
    now = pd.DataFrame({"season": 3 + column(size=500), "steady": column(mean=0.5, size=500)})
    steady, season = drifts(references(frame, 500), now)
    assert (steady.column, season.column) == ("steady", "season")
    assert season.index > steady.index and season.times < 1.5 < steady.times


def test_the_usual_is_the_largest_between_a_stretch_and_the_others():
    """Stretches of two of seven rows, the last row in none; worked out with half a row a bin."""
    frame = pd.DataFrame({"x": list("aabbab") + ["b"]})
    reference = references(frame, stretch=2)["x"]

    def index(stretch, others):
        now, then = np.array([*stretch, 0, 0]) + 0.5, np.array([*others, 0, 0]) + 0.5
        now, then = now / now.sum(), then / then.sum()
        return ((now - then) * np.log(now / then)).sum()

    # Counts of b, then of a: the first two rows, the next two, then one of each.
    by_hand = [index((0, 2), (4, 1)), index((2, 0), (2, 3)), index((1, 1), (3, 2))]
    assert reference["values"] == ["b", "a"]
    assert reference["usual"] == pytest.approx(max(by_hand), abs=1e-6)


def test_very_short_stretches_are_lengthened():
    """A hundredth of the rows at least, and half of them at most."""
    frame = pd.DataFrame({"x": column(size=1000)})
    assert references(frame, 1) == references(frame, 10) != references(frame, 11)
    assert references(frame, 500) == references(frame, 10_000) != references(frame, 499)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_hardly_any_rows(rows):
    """A reference of very few rows is valid."""
    reference = references(pd.DataFrame({"x": column(size=rows)}), stretch=1000)
    assert sum(reference["x"]["rows"]) == rows
    assert drifts(reference, pd.DataFrame({"x": column()}))[0].index >= 0
