"""The thread that writes the prediction log: every row is written or counted as lost."""

import logging
import os
import threading

import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops.serving import writer
from mlops.serving.log import PredictionLog
from mlops.serving.writer import LogWriter


@pytest.fixture
def lost():
    """The counts of lost rows that the writer reports."""
    return []


@pytest.fixture
def log(tmp_path):
    """A log in a folder of its own."""
    return PredictionLog(tmp_path / "log", "log")


def test_closing_writes_the_queue(tmp_path, log, lost):
    """All lines are written, in order."""
    thread = LogWriter(log, lost.append)
    for number in range(100):
        thread.put(b"%d\n" % number, [1])
    thread.start()
    thread.close()
    assert (tmp_path / "log/log.jsonl").read_text().split() == [str(n) for n in range(100)]
    assert not lost


def test_a_hanging_disk_blocks_nothing(log, lost, monkeypatch):
    """The queue is bounded; rows beyond it are lost and counted."""
    goes_on, hangs = threading.Event(), threading.Event()

    def write(_, content):
        hangs.set()
        goes_on.wait(HANG_SECONDS)
        return len(content)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(writer, "MAX_QUEUED_BYTES", 10)
    thread = LogWriter(log, lost.append)
    thread.start()
    thread.put(b"12345\n", [1])
    assert hangs.wait(HANG_SECONDS)
    for _ in range(3):
        thread.put(b"1234\n\n", [1, 1])
    assert lost == [2, 2, 2]
    goes_on.set()
    thread.close()


def test_a_lost_line_counts_all_its_rows(log, lost, monkeypatch):
    """The disk takes one line of three rows and a part of the next."""
    monkeypatch.setattr(os, "write", lambda _, content: 7)
    thread = LogWriter(log, lost.append)
    thread.put(b"12345\n12345\n1\n", [3, 20, 100])
    thread.start()
    thread.close()
    assert lost == [120]


def test_a_folder_that_cannot_be_written_is_logged_once(tmp_path, log, lost, caplog, monkeypatch):
    """Every lost line is counted; the service's own log reports only the first."""
    (tmp_path / "log").write_text("in the way")
    thread = LogWriter(log, lost.append)
    monkeypatch.setattr(logging.getLogger("bentoml"), "propagate", True)
    for _ in range(2):
        thread.put(b"1\n", [1])
    thread.start()
    thread.close()
    assert lost == [1, 1] and caplog.text.count("not logged") == 1
