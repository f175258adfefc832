"""The time of one row: measured as the service asks, bounded, and clear where the model refuses."""

import time
from itertools import count

import pandas as pd
import pytest

from mlops.errors import UserError
from mlops.statistics import latency as module
from mlops.statistics.latency import latency

ROWS = pd.DataFrame({"km": [1.0, None] * 400, "zone": ["a", "b"] * 400})


def test_rows_come_one_by_one_as_the_service_sends_them():
    """A dict of lists of one value, missing ones None."""
    seen = []
    latency(seen.append, ROWS)
    assert len(seen) == 1 + module.ROWS
    assert seen[:2] == [{"km": [1.0], "zone": ["a"]}] * 2
    assert latency(seen.append, ROWS.iloc[1:2])["predict_p50_ms"] < 1
    assert seen[-1] == {"km": [None], "zone": ["b"]}


def test_a_slow_model_is_slow_and_does_not_hold_up_everything(monkeypatch):
    """Its median is told from fewer rows."""
    monkeypatch.setattr(module, "SECONDS", 0.1)
    asked = []
    taken = latency(lambda one: asked.append(one) or time.sleep(0.01), ROWS)
    assert taken["predict_p50_ms"] >= 10
    # The first call warms up; then there are as many as a percentile needs.
    assert len(asked) == 1 + module.LEAST


def test_the_percentiles_are_told_in_milliseconds(monkeypatch):
    """Of 300 rows that take 1 to 300 ms each."""
    calls, now = count(), [0.0]

    def predict(_):
        now[0] += next(calls) / 1000

    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "SECONDS", 1000.0)
    assert latency(predict, ROWS) == {"predict_p50_ms": 150.5, "predict_p99_ms": 297.01}


def test_a_model_that_takes_frames_only_is_told_so():
    """It would answer nobody."""
    with pytest.raises(UserError, match="fails on a dict of lists.*AttributeError.*'iloc'"):
        latency(lambda columns: columns.iloc[0], ROWS)
