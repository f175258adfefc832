"""The conversion of columns to the matrix for the trees; the same in training and serving."""

from collections.abc import Mapping, Sequence

import numpy as np

SCHEDULE = ("dow", "hour", "sched_dep_min", "sched_arr_min", "distance", "origin_hour_load")
PLANE = ("plane_age", "seats", "engines")
WIND = ("wind_dir", "wind_speed", "wind_gust")
WEATHER = ("temp", "dewp", "humid", *WIND, "precip", "pressure", "visib")
NUMERIC = (*SCHEDULE, *PLANE, *WEATHER)
CATEGORICAL = ("carrier", "origin", "dest", "plane_type", "engine_type")
# XGBoost's own type letters: q is a quantity, c a category code.
TYPES = ("q",) * len(NUMERIC) + ("c",) * len(CATEGORICAL)

Categories = dict[str, tuple[str, ...]]


def learn_categories(columns: Mapping[str, Sequence]) -> Categories:
    """Return the sorted values of each categorical column in these (training) rows."""
    return {
        name: tuple(sorted({value for value in _values(columns, name) if isinstance(value, str)}))
        for name in CATEGORICAL
    }


def code_books(categories: Categories) -> dict[str, dict[str, int]]:
    """Return, for each categorical column, the code of each value."""
    return {name: {v: i for i, v in enumerate(values)} for name, values in categories.items()}


def encode(columns: Mapping[str, Sequence], codes: dict[str, dict[str, int]]) -> np.ndarray:
    """Return the float32 matrix (rows, 23) of a DataFrame or dict of lists.

    A missing value becomes NaN, and so does a category unseen in training: XGBoost raises on one.
    """
    matrix = np.empty((len(columns[NUMERIC[0]]), len(TYPES)), np.float32)
    for position, name in enumerate(NUMERIC):
        matrix[:, position] = np.asarray(columns[name], dtype=np.float32)
    for position, name in enumerate(CATEGORICAL, start=len(NUMERIC)):
        code = codes[name]
        matrix[:, position] = [code.get(value, np.nan) for value in _values(columns, name)]
    return matrix


def _values(columns: Mapping[str, Sequence], name: str) -> np.ndarray:
    """Return a column as Python objects, which iterates five times as fast as a Series of text."""
    return np.asarray(columns[name], dtype=object)
