"""Regressions of known size, planted into real scores.

A worse candidate is the champion moved some way in a direction; how far is solved for, so that its
true loss is what is wanted. Probabilities are moved on the scale of log odds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Probabilities nearer to 0 or 1 have no log odds to speak of.
TINY = 1e-6
FARTHEST = 16.0

BY_ROW, BY_GROUP, WORSE_MODEL = "noise by row", "noise by group", "a worse model"


@dataclass(frozen=True)
class Direction:
    """Where scores (rows,) are moved to: by `step` (rows,) times an amount."""

    score: np.ndarray
    step: np.ndarray
    probability: bool

    def moved(self, amount: float) -> np.ndarray:
        """Return the scores moved by an amount; 0 leaves them as they are."""
        return _scores(_latent(self.score, self.probability) + amount * self.step, self.probability)


def directions(
    target: np.ndarray, score: np.ndarray, worse: np.ndarray, group: np.ndarray, seed: int
) -> dict[str, Direction]:
    """Return ways to get worse: noise of its own a row, noise shared by a group, a worse model.

    Noise has the spread of the scores. Noise shared by the rows of a group is what a broken feed of
    the day does, and is the hardest to tell from luck.
    """
    random, probability = np.random.default_rng(seed), set(np.unique(target)) <= {0, 1}
    base = _latent(score, probability)
    by_row = random.normal(0, base.std(), len(score))
    by_group = random.normal(0, base.std(), int(group.max()) + 1)[group]
    steps = {
        BY_ROW: by_row,
        BY_GROUP: by_group,
        WORSE_MODEL: _latent(worse, probability) - base,
    }
    return {name: Direction(score, step, probability) for name, step in steps.items()}


def amount_for(loss: Callable[[float], float], wanted: float) -> float | None:
    """Return how far to move for a true loss of `wanted`; None where no distance gives as much."""
    from scipy.optimize import brentq

    near, far = 0.0, 0.125
    while loss(far) < wanted:
        near, far = far, 2 * far
        if far > FARTHEST:
            return None
    return brentq(lambda amount: loss(amount) - wanted, near, far, xtol=1e-4 * far)


def _latent(score: np.ndarray, probability: bool) -> np.ndarray:
    if not probability:
        return score.astype(float)
    score = np.clip(score.astype(float), TINY, 1 - TINY)
    return np.log(score / (1 - score))


def _scores(latent: np.ndarray, probability: bool) -> np.ndarray:
    return 1 / (1 + np.exp(-latent)) if probability else latent
