"""The time to score one row: measured as in the service, bounded, with a clear error."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import chain, cycle

import pandas as pd
import pytest
from threadpoolctl import threadpool_info

from mlops.errors import UserError
from mlops.statistics import latency as module
from mlops.statistics.latency import latency

ROWS = pd.DataFrame({"km": [1.0, None] * 400, "zone": ["a", "b"] * 400})


def test_rows_come_one_by_one_as_the_service_sends_them():
    """A dict of lists of one value, missing ones None, the same rows in every round."""
    calls = []
    latency(calls.append, ROWS)
    assert len(calls) == 1 + module.ROUNDS * module.ROWS
    assert calls[:2] == [{"km": [1.0], "zone": ["a"]}] * 2
    assert latency(calls.append, ROWS.iloc[1:2])["predict_p50_ms"] < 1
    assert calls[-1] == {"km": [None], "zone": ["b"]}


def test_a_slow_model_is_measured_on_fewer_rows(monkeypatch):
    """Its median is measured on fewer rows and rounds."""
    monkeypatch.setattr(module, "SECONDS", 0.01)
    calls = []
    taken = latency(lambda one: calls.append(one) or time.sleep(0.01), ROWS)
    assert taken["predict_p50_ms"] >= 10
    # One call to warm up, then twice as many as a percentile needs.
    assert len(calls) == 1 + 2 * module.LEAST


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances only when a test adds to it."""
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "SECONDS", 1000.0)
    return now


def timed(clock, milliseconds):
    """The times measured for a model whose calls, after the first, take these times."""
    waits = chain([0], milliseconds)

    def predict(_):
        clock[0] += next(waits) / 1000

    return list(latency(predict, ROWS).values())


def test_the_percentiles_are_in_milliseconds(clock):
    """Of 300 rows that take 1 to 300 ms each, in every round."""
    percentiles = [150.5, 297.01]
    assert timed(clock, cycle(range(1, 301))) == percentiles * 2


def test_a_busy_neighbour_in_some_rounds_slows_the_usual_round_only(clock):
    """Three of five rounds are disturbed: the best times are the model's own."""
    rounds = (1, 9, 9, 9, 1)
    assert timed(clock, (ms for ms in rounds for _ in range(300))) == [1, 1, 9, 9]


def test_a_busy_neighbour_now_and_then_does_not_change_the_best_times(clock):
    """Every seventh call waits for its core, in each round for another row."""
    best, tail, usual, usual_tail = timed(clock, cycle([1] * 6 + [50]))
    assert (best, tail, usual, usual_tail) == (1, 1, 1, 50)


def test_a_row_that_is_always_slow_slows_the_best_times(clock):
    """One row in fifty is slow in every round."""
    assert timed(clock, cycle([1] * 49 + [50])) == [1, 50, 1, 50]


def test_one_thread_is_measured_as_the_service_has_it():
    """Other load slows threads that wait for each other most."""
    threads = []
    latency(lambda _: threads.append({pool["num_threads"] for pool in threadpool_info()}), ROWS[:1])
    assert threads[-1] == {1}


def test_busy_neighbours_make_no_quick_model_slow():
    """With two busy loops on every core a fast model keeps its budget, a slow one does not."""
    spin = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        for _ in range(2 * os.cpu_count()):
            stack.callback(stack.enter_context(subprocess.Popen(spin)).kill)
        quick = latency(lambda _: sum(range(5_000)), ROWS)
        slow = latency(lambda _: sum(range(250_000)), ROWS)
    assert quick["predict_p50_ms"] < 1.5 < slow["predict_p50_ms"]


def test_a_model_that_takes_frames_only_is_refused():
    """It could not serve requests."""
    with pytest.raises(UserError, match="fails on a dict of lists.*AttributeError.*'iloc'"):
        latency(lambda columns: columns.iloc[0], ROWS)
