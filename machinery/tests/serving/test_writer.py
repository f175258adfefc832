"""The thread that writes the prediction log: nothing acknowledged is lost, or it is counted."""

import logging
import os
import threading

import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops.serving import writer
from mlops.serving.log import PredictionLog
from mlops.serving.writer import Writer


@pytest.fixture
def lost():
    """What was lost, as the writer tells it."""
    return []


@pytest.fixture
def log(tmp_path):
    """A log in a folder of its own."""
    return PredictionLog(tmp_path / "log", "log")


def test_closing_writes_what_waits(tmp_path, log, lost):
    """All of it, in order, whether or not the thread came to it before."""
    made = Writer(log, lost.append)
    for number in range(100):
        made.put(b"%d\n" % number, [1])
    made.start()
    made.close()
    assert (tmp_path / "log/log.jsonl").read_text().split() == [str(n) for n in range(100)]
    assert not lost


def test_a_disk_that_hangs_makes_nobody_wait(log, lost, monkeypatch):
    """What waits is bounded; beyond that it is lost, and counted."""
    goes_on, hangs = threading.Event(), threading.Event()

    def write(_, content):
        hangs.set()
        goes_on.wait(HANG_SECONDS)
        return len(content)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(writer, "MOST_BYTES", 10)
    made = Writer(log, lost.append)
    made.start()
    made.put(b"12345\n", [1])
    assert hangs.wait(HANG_SECONDS)
    for _ in range(3):
        made.put(b"1234\n\n", [1, 1])
    assert lost == [2, 2, 2]
    goes_on.set()
    made.close()


def test_rows_are_lost_with_the_line_they_are_in(log, lost, monkeypatch):
    """The disk takes one line of three rows and a part of the next."""
    monkeypatch.setattr(os, "write", lambda _, content: 7)
    made = Writer(log, lost.append)
    made.put(b"12345\n12345\n1\n", [3, 20, 100])
    made.start()
    made.close()
    assert lost == [120]


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, log, lost, caplog, monkeypatch):
    """Every lost line is counted; the service's own log says it when it begins."""
    (tmp_path / "log").write_text("in the way")
    made = Writer(log, lost.append)
    monkeypatch.setattr(logging.getLogger("bentoml"), "propagate", True)
    for _ in range(2):
        made.put(b"1\n", [1])
    made.start()
    made.close()
    assert lost == [1, 1] and caplog.text.count("not logged") == 1
