"""Regressions of known size, planted into real scores.

A worse candidate is the champion with its scores moved in a direction; a solver finds the amount
that gives the target loss. Probabilities are moved on the scale of log odds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Probabilities are clipped this far from 0 and 1, where log odds are infinite.
TINY = 1e-6
FARTHEST = 16.0

BY_ROW, BY_GROUP, WORSE_MODEL = "noise by row", "noise by group", "a worse model"


@dataclass(frozen=True)
class Direction:
    """A direction in which scores (rows,) move: by `step` (rows,) times an amount."""

    score: np.ndarray
    step: np.ndarray
    probability: bool

    def moved(self, amount: float) -> np.ndarray:
        """Return the scores moved by an amount; 0 leaves them unchanged."""
        return _scores(_latent(self.score, self.probability) + amount * self.step, self.probability)


def directions(
    target: np.ndarray, score: np.ndarray, worse: np.ndarray, group: np.ndarray, seed: int
) -> dict[str, Direction]:
    """Return ways to get worse: noise for each row, noise shared by a group, a worse model.

    Noise has the spread of the scores. A broken feed gives all rows of a day the same noise, which
    is the hardest to distinguish from chance.
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


def amount_for(loss: Callable[[float], float], target: float) -> float | None:
    """Return the amount that gives the target loss; None where no amount does."""
    from scipy.optimize import brentq

    near, far = 0.0, 0.125
    while loss(far) < target:
        near, far = far, 2 * far
        if far > FARTHEST:
            return None
    return brentq(lambda amount: loss(amount) - target, near, far, xtol=1e-4 * far)


def _latent(score: np.ndarray, probability: bool) -> np.ndarray:
    if not probability:
        return score.astype(float)
    score = np.clip(score.astype(float), TINY, 1 - TINY)
    return np.log(score / (1 - score))


def _scores(latent: np.ndarray, probability: bool) -> np.ndarray:
    return 1 / (1 + np.exp(-latent)) if probability else latent
