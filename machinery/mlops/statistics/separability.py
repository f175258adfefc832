"""How well a classifier separates two samples of rows on days it was not trained on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlops.statistics.histograms import is_number

if TYPE_CHECKING:
    from pandas import DataFrame

# The days are split this often, and each half is tested once.
SPLITS = 2
# The limit of HistGradientBoostingClassifier.
MOST_CATEGORIES = 254


def separability(
    frames: Sequence["DataFrame"], days: Sequence[np.ndarray], random: np.random.Generator
) -> list[float]:
    """Return the AUCs of a classifier of the two samples, for each half of the days in each split.

    Half of all days train it and the other half test it, and the reverse. 0.5 is no separation; a
    little less is normal where neighbouring days are alike. Days are (rows,) of each frame.
    """
    matrix, categorical = _matrix(frames)
    label = np.repeat([0, 1], [len(part) for part in days])
    aucs = []
    for _ in range(SPLITS):
        half = np.concatenate([_half(part, random) for part in days])
        aucs += [_auc(matrix, label, categorical, fit) for fit in (half, ~half)]
    return aucs


def _half(days: np.ndarray, random: np.random.Generator) -> np.ndarray:
    different = random.permutation(np.unique(days))
    return np.isin(days, different[: len(different) // 2])


def _matrix(frames: Sequence["DataFrame"]) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of all frames as numbers, and which of them are categories."""
    import pandas as pd

    joined = pd.concat(frames, ignore_index=True)
    categorical = np.array([not is_number(frames[0][name]) for name in joined])
    matrix = np.empty(joined.shape)
    for position, name in enumerate(joined):
        if categorical[position]:
            frequent = joined[name].value_counts().index[:MOST_CATEGORIES]
            codes = {value: code for code, value in enumerate(frequent)}
            matrix[:, position] = joined[name].map(codes).to_numpy(float, na_value=np.nan)
        else:
            matrix[:, position] = joined[name].to_numpy(float, na_value=np.nan)
    return matrix, categorical


def _auc(matrix: np.ndarray, label: np.ndarray, categorical: np.ndarray, fit: np.ndarray) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    # The classifier cannot bin a column without any value.
    filled = ~np.isnan(matrix[fit]).all(axis=0)
    if not filled.any():
        return 0.5
    matrix = matrix[:, filled]
    model = HistGradientBoostingClassifier(
        max_iter=40,
        max_leaf_nodes=15,
        categorical_features=categorical[filled],
        class_weight="balanced",
        early_stopping=False,
        random_state=0,
    )
    # A fit takes a third of a second; on a busy machine several threads wait for each other.
    with threadpool_limits(1):
        model.fit(matrix[fit], label[fit])
    return float(roc_auc_score(label[~fit], model.predict_proba(matrix[~fit])[:, 1]))
