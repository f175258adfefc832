"""Pairs of rows counted by their groups, at a cost that is linear in rows."""

import numpy as np

# Levels walked through at once: enough that adding up a block is the lesser work.
LEVELS = 1000


def wins(  # pylint: disable=too-many-locals  # one walk, and what it carries
    positive: np.ndarray, score: np.ndarray, group: np.ndarray, groups: int
) -> np.ndarray:
    """Return how many pairs (positive of group i, negative of group j) are ordered rightly.

    Positive is boolean (rows,), score and group (rows,); the counts are (groups, groups) floats,
    a pair with equal scores counts half. The rarer class is walked through in order of its scores,
    with a running count of the other class by group: rows x groups steps, no pair is looked at.
    """
    from scipy.sparse import csr_array

    if 2 * positive.sum() > len(positive):
        return wins(~positive, -score, group, groups).T
    high, high_group = _sorted(score[positive], group[positive])
    low, low_group = _sorted(score[~positive], group[~positive])
    levels, level = np.unique(high, return_inverse=True)
    # Half of a negative counts from the first level that is not below it, half from the next above.
    sides = [(np.searchsorted(levels, low, side), low_group) for side in ("left", "right")]
    won, running = np.zeros((groups, groups), int), np.zeros(groups, int)
    size = LEVELS + 2 * groups
    for start in range(0, len(levels), size):
        count = min(size, len(levels) - start)
        cells = [_cells(*side, groups, start, count) for side in sides]
        below = np.bincount(np.concatenate(cells), minlength=count * groups)
        below = below.reshape(count, groups)
        below[0] += running
        running = np.cumsum(below, axis=0, out=below)[-1]
        found = _cells(level, high_group, groups, start, count)
        place = (found % groups, found // groups)
        won += csr_array((np.ones(len(found), int), place), (groups, count)) @ below
    return won / 2


def _sorted(score: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(score)
    return score[order], group[order]


def _cells(level: np.ndarray, group: np.ndarray, groups: int, start: int, count: int) -> np.ndarray:
    """Return the cell (level, group), of a table of `count` levels, of each row that is in it."""
    part = slice(*np.searchsorted(level, [start, start + count]))
    return (level[part] - start) * groups + group[part]
