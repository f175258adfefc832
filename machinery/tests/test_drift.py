"""The stability index moves when a column does, and only then."""

import json

import numpy as np
import pandas as pd
import pytest

from mlops.statistics.drift import (
    MISSING,
    MOST_VALUES,
    OTHERS,
    drift,
    drifts,
    histogram,
    references,
)


def column(mean=0.0, size=5000, seed=0):
    """Numbers around a mean."""
    return pd.Series(np.random.default_rng(seed).normal(mean, 1, size))


def found(reference, now):
    """The drift of one column."""
    return drift("x", histogram(pd.Series(reference)), pd.Series(now))


def test_the_same_rows_have_not_moved():
    """The index of a column with itself is 0."""
    assert found(column(), column()).index == 0


def test_other_rows_of_the_same_kind_have_hardly_moved():
    """Luck alone stays far below what is called a change."""
    assert found(column(), column(seed=1)).index < 0.02


def test_the_index_is_the_usual_one():
    """Two values, shares (3.5, 1.5, .5, .5)/6 then (1.5, 3.5, .5, .5)/6, worked out by hand."""
    index = found(["a"] * 3 + ["b"], ["a"] + ["b"] * 3).index
    assert index == pytest.approx(2 * (2 / 6) * np.log(3.5 / 1.5))


def test_numbers_that_moved():
    """One standard deviation is a large shift, and the bin that gained most is named."""
    moved = found(column(), column(mean=1.0))
    assert moved.index > 0.5
    assert moved.bin.startswith("above 1.2") and moved.found > 3 * moved.expected


def test_the_bin_that_lost_most_is_named():
    """A value that vanishes is as much a change as one that spreads."""
    moved = found(["a"] * 60 + ["b"] * 40, ["a"] * 70 + ["b"] * 10 + ["c"] * 20)
    assert moved.bin == "b" and moved.expected > 0.3 > 0.2 > moved.found


def test_numbers_have_their_deciles_for_bins():
    """Each a tenth of the rows, named by its ends; ten values or fewer have a bin each."""
    made = histogram(pd.Series(range(1, 101)))
    assert made["edges"] == [11, 21, 31, 41, 51, 61, 71, 81, 91]
    assert made["rows"] == [11, *[10] * 8, 9, 0]
    bins = [found(range(1, 101), [now] * 99).bin for now in (1, 25, 92)]
    assert bins == ["up to 11", "21 to 31", "above 91"]
    assert "values" in histogram(pd.Series(range(10)))
    assert "edges" in histogram(pd.Series(range(11)))


def test_truth_values_are_names():
    """Neither numbers to put into an order nor told apart from their words in a log."""
    assert histogram(pd.Series([True, False, True]))["values"] == ["True", "False"]
    assert found(pd.Series([True, False]), ["True", "False"]).index == 0


def test_missing_values_have_a_bin():
    """Values that begin to lack are a change, whatever the others do."""
    now = column().where(np.arange(5000) % 2 == 0)
    assert (moved := found(column(), now)).index > 0.5
    assert moved.bin == MISSING and moved.found == pytest.approx(0.5, abs=0.01)


def test_a_category_never_seen_is_among_the_others():
    """It has no bin of its own in the reference."""
    moved = found(["a", "b"] * 100, ["a", "c"] * 100)
    assert moved.index > 1 and histogram(pd.Series(["a"]))["rows"] == [1, 0, 0]
    assert found(["a"] * 9, ["c"] * 9).bin in ("a", OTHERS)


def test_a_constant_that_becomes_another():
    """Deciles would not see 0 become -1; few values have a bin each."""
    assert found([0] * 100, [-1] * 100).index > 1


def test_numbers_are_told_apart_whatever_their_type():
    """A log holds 2.0 or 2 where the rows trained on held an int8."""
    assert found(pd.Series([1, 2, 2], dtype="int8"), [1.0, 2.0, 2.0]).index == 0


def test_infinite_numbers_and_none_at_all():
    """What is no number is counted, and the histogram stays JSON."""
    endless = pd.Series([*column(size=50), np.inf, -np.inf, np.nan])
    nothing = pd.Series([np.nan] * 5)
    for made in (histogram(endless), histogram(nothing)):
        json.dumps(made, allow_nan=False)
    assert sum(histogram(endless)["rows"]) == 53
    assert histogram(nothing)["rows"] == [0, 5]


def test_a_column_of_names_does_not_fill_the_record():
    """Only the most frequent values are kept; the others are counted together."""
    made = histogram(pd.Series([f"name {n}" for n in range(5000)]))
    assert len(made["values"]) == MOST_VALUES and made["rows"][-2:] == [4900, 0]


def test_the_order_of_rows_does_not_matter():
    """The same rows give the same record."""
    values = pd.Series(["b", "a", "c"] * 5)
    assert histogram(values) == histogram(values[::-1])


def test_the_most_drifted_column_comes_first():
    """Of the columns that both have."""
    frame = pd.DataFrame({"still": column(), "moved": column(), "gone": column()})
    now = pd.DataFrame({"new": column(), "still": column(seed=1), "moved": column(1.0)})
    assert [one.column for one in drifts(references(frame, 500), now)] == ["moved", "still"]


def test_seasons_are_no_news():
    """A column that swings in the rows trained on comes after one that moved for the first time."""
    swing = np.sin(np.arange(5000) / 800) * 3
    frame = pd.DataFrame({"season": swing + column(), "steady": column(seed=1)})
    now = pd.DataFrame({"season": 3 + column(size=500), "steady": column(mean=0.5, size=500)})
    steady, season = drifts(references(frame, 500), now)
    assert (steady.column, season.column) == ("steady", "season")
    assert season.index > steady.index and season.times < 1.5 < steady.times


def test_the_usual_is_the_largest_between_a_stretch_and_the_others():
    """Stretches of two rows of seven, the last row of none; worked out with half a row a bin."""
    frame = pd.DataFrame({"x": list("aabbab") + ["b"]})
    made = references(frame, stretch=2)["x"]

    def index(stretch, others):
        now, then = np.array([*stretch, 0, 0]) + 0.5, np.array([*others, 0, 0]) + 0.5
        now, then = now / now.sum(), then / then.sum()
        return ((now - then) * np.log(now / then)).sum()

    # Counts of b, then of a: the first two rows, the next two, then one of each.
    found_by_hand = [index((0, 2), (4, 1)), index((2, 0), (2, 3)), index((1, 1), (3, 2))]
    assert made["values"] == ["b", "a"]
    assert made["usual"] == pytest.approx(max(found_by_hand), abs=1e-6)


def test_very_short_stretches_are_lengthened():
    """A hundredth of the rows at least, and half of them at most."""
    frame = pd.DataFrame({"x": column(size=1000)})
    assert references(frame, 1) == references(frame, 10) != references(frame, 11)
    assert references(frame, 500) == references(frame, 10_000) != references(frame, 499)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_hardly_any_rows(rows):
    """A reference of next to nothing is one all the same."""
    made = references(pd.DataFrame({"x": column(size=rows)}), stretch=1000)
    assert sum(made["x"]["rows"]) == rows
    assert drifts(made, pd.DataFrame({"x": column()}))[0].index >= 0
