"""A request's lists become a frame like those of training; parity sends what may be missing."""

import json

import numpy as np
import pandas as pd
import pytest

from mlops.gate import parity
from mlops.serving.frames import Frames, column_types, with_frames
from mlops.statistics.latency import as_records

ROWS = pd.DataFrame(
    {
        "wait": np.array([1.5, np.nan, 2.5], "float32"),
        "kind": pd.Series(["a", None, "b"], dtype="str"),
        "note": pd.Series(["a", None, "b"], dtype="string"),
        "size": pd.Categorical(["small", None, "large"], ["large", "small", "huge"]),
        "grade": pd.Categorical(["C", "A", None], ["C", "B", "A"], ordered=True),
        "seats": pd.array([1, None, 3], dtype="Int64"),
        "full": pd.array([True, None, False], dtype="boolean"),
        "hour": np.array([1, 2, 3], "int8"),
        "late": [True, False, True],
    }
)
FRAMES = Frames(json.loads(json.dumps(column_types(ROWS))))


@pytest.mark.parametrize("chosen", [slice(0, 3), slice(0, 1), slice(1, 2), slice(2, 3)])
def test_rows_have_the_types_and_the_missing_values_of_training(chosen):
    """All together, and each alone, which is where pandas guesses another type."""
    expected = ROWS[chosen].reset_index(drop=True)
    sent = as_records(expected)
    lists = {name: [row[name] for row in sent] for name in reversed(expected.columns)}
    pd.testing.assert_frame_equal(FRAMES(lists), expected)


def test_pandas_by_itself_gets_them_wrong():
    """What the frame is for: the types of a row without values are other than those of training."""
    alone = pd.DataFrame({name: [None] for name in ROWS})
    assert all(alone[name].dtype != ROWS[name].dtype for name in ROWS)


def test_a_frame_is_handed_on_as_it_is():
    """The evaluation and the champion's scores come as frames."""
    given = []
    with_frames(given.append, column_types(ROWS))(ROWS)
    assert given[0] is ROWS


def test_parity_sends_a_row_without_a_value_in_each_column_that_may_lack_one():
    """Held-out rows that lack one already stay as they are; NumPy's whole numbers cannot."""
    whole = ROWS[:1].loc[[0] * 60].reset_index(drop=True)
    partly = whole.assign(wait=[None, *[1.5] * 59]).astype(whole.dtypes)
    nullable = [name for name in whole if name != "note"]
    for rows, lost in ((whole, "wait"), (partly, "kind")):
        sample = parity.sample(rows, 4, nullable)
        assert len(sample) == 4 and sample.dtypes.equals(rows.dtypes)
        missing = sample.isna().any()
        assert missing[missing].index.tolist() == [
            *("wait", "kind", "size", "grade", "seats", "full"),
        ]
        assert pd.isna(sample[lost].iloc[0])
    assert not parity.sample(whole, 4).isna().any().any()
    assert not whole.isna().any().any()
