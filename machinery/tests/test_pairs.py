"""Pairs are counted exactly, whatever the sizes of classes and blocks."""

import numpy as np
import pytest

from mlops.statistics import pairs


def counted(positive, score, group, groups):
    """The counts by a loop over every pair."""
    counts = np.zeros((groups, groups))
    for high in np.flatnonzero(positive):
        for low in np.flatnonzero(~positive):
            worth = (score[high] > score[low]) + (score[high] == score[low]) / 2
            counts[group[high], group[low]] += worth
    return counts


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
@pytest.mark.parametrize("digits", [1, 9], ids=["many ties", "no ties"])
def test_counts_equal_those_of_every_pair(share, digits, monkeypatch):
    """A block of few levels makes the running count cross many blocks."""
    monkeypatch.setattr(pairs, "LEVELS", 5)
    random = np.random.default_rng(2)
    score, group = np.round(random.random(200), digits), random.integers(0, 4, 200)
    positive = random.random(200) < share
    counts = pairs.wins(positive, score, group, 4)
    np.testing.assert_array_equal(counts, counted(positive, score, group, 4))


def test_groups_without_rows_win_nothing():
    """A slice of the rows may leave a group without any of one class."""
    counts = pairs.wins(np.array([True, False]), np.array([0.2, 0.1]), np.array([2, 0]), 4)
    assert counts[2, 0] == counts.sum() == 1
