"""Counts of ordered pairs of rows by group, at a cost linear in rows."""

import numpy as np

# Levels in one block: enough that the overhead of a block is small.
LEVELS = 1000


def wins(  # pylint: disable=too-many-locals  # one loop and its state
    positive: np.ndarray, score: np.ndarray, group: np.ndarray, groups: int
) -> np.ndarray:
    """Return how many pairs (positive of group i, negative of group j) are ordered rightly.

    Positive is boolean (rows,), score and group (rows,); the counts are (groups, groups) floats,
    a pair with equal scores counts half. The loop goes through the rarer class in order of its
    scores, with a running count of the other class by group: rows x groups steps.
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
        positives = _cells(level, high_group, groups, start, count)
        indices = (positives % groups, positives // groups)
        won += csr_array((np.ones(len(positives), int), indices), (groups, count)) @ below
    return won / 2


def _sorted(score: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(score)
    return score[order], group[order]


def _cells(level: np.ndarray, group: np.ndarray, groups: int, start: int, count: int) -> np.ndarray:
    """Return the cell (level, group), in a block of `count` levels, of each row in the block."""
    part = slice(*np.searchsorted(level, [start, start + count]))
    return (level[part] - start) * groups + group[part]
