"""Pairs are counted exactly, whatever the classes' sizes and however the rows fall into blocks."""

import numpy as np
import pytest

from mlops.statistics import pairs


def counted(positive, score, group, groups):
    """Every pair, looked at."""
    found = np.zeros((groups, groups))
    for high in np.flatnonzero(positive):
        for low in np.flatnonzero(~positive):
            worth = (score[high] > score[low]) + (score[high] == score[low]) / 2
            found[group[high], group[low]] += worth
    return found


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
@pytest.mark.parametrize("digits", [1, 9], ids=["many ties", "no ties"])
def test_counts_equal_those_of_every_pair(share, digits, monkeypatch):
    """A block of few levels makes the running count cross many blocks."""
    monkeypatch.setattr(pairs, "LEVELS", 5)
    random = np.random.default_rng(2)
    score, group = np.round(random.random(200), digits), random.integers(0, 4, 200)
    positive = random.random(200) < share
    found = pairs.wins(positive, score, group, 4)
    np.testing.assert_array_equal(found, counted(positive, score, group, 4))


def test_groups_without_rows_win_nothing():
    """A slice of the rows may leave a group without any of one class."""
    found = pairs.wins(np.array([True, False]), np.array([0.2, 0.1]), np.array([2, 0]), 4)
    assert found[2, 0] == found.sum() == 1
