"""Reading a prediction log: every state that a log of months can be in."""

import json
import threading
from datetime import UTC, datetime

import pytest

from machinery.tests.waiting import wait_for
from mlops.monitor.log import Served, read_log
from mlops.serving.log import PredictionLog, ScoredBatch, line

RELEASE = "mini-20260101-0001-0123456789ab"


TABLE = '{"time": "2026-01-01T00:00:00Z", "release_id": null, "id": %s}'


@pytest.fixture
def log(tmp_path, write_log):
    """A log of two rows on one day and one on the next."""
    write_log(tmp_path, "2026-01-01", [{"size": 1}, {"size": 2}])
    write_log(tmp_path, "2026-01-02", [{"size": 3}])
    return tmp_path


def append(log, text):
    """Add text to the log as it is."""
    with (log / "predictions-1.jsonl").open("a", encoding="utf-8") as file:
        file.write(text)


def test_rows_are_counted_by_day(log):
    """The day of the answer, in UTC."""
    found = read_log(log, RELEASE)
    assert found.per_day == {"2026-01-01": 2, "2026-01-02": 1}
    assert [features for _, features in found.sample] == [{"size": 1}, {"size": 2}, {"size": 3}]


def test_a_zone_is_counted_with(log):
    """Half past eleven in New York is the next day in UTC."""
    row = {"id": "a", "score": 1, "release_id": RELEASE, "features": {}}
    append(log, json.dumps({**row, "time": "2026-01-02T23:30:00-05:00"}) + "\n")
    assert read_log(log, RELEASE).per_day["2026-01-03"] == 1


def test_a_row_may_stand_without_lists(log):
    """As another service may log it: one row a line."""
    row = {"id": "a", "score": 1, "release_id": RELEASE, "features": {"size": 4}}
    append(log, json.dumps({**row, "time": "2026-01-02T12:00:00Z"}) + "\n")
    found = read_log(log, RELEASE, wanted={"a"})
    assert found.per_day["2026-01-02"] == 2 and found.wanted == {"a": Served(1.0, "2026-01-02")}
    assert found.sample[-1][1] == {"size": 4}


def test_no_log_is_an_empty_one(tmp_path):
    """Nothing was served, or nothing logged."""
    assert read_log(tmp_path / "none", RELEASE).per_day.total() == 0


def test_folders_of_several_services_are_read(log, write_log):
    """As pods have that share a volume, each with files of the same name."""
    (log / "pod").mkdir()
    write_log(log / "pod", "2026-01-02", [{"size": 4}])
    found = read_log(log, RELEASE)
    assert found.per_day == {"2026-01-01": 2, "2026-01-02": 2}
    assert "pod/predictions-1.jsonl" in found.files


def test_only_the_newest_days_are_asked_for(log):
    """Days without rows do not count."""
    assert read_log(log, RELEASE).newest(1) == ["2026-01-02"]


def test_files_set_aside_are_read_too(tmp_path):
    """All that the log kept."""
    log = PredictionLog(tmp_path, "predictions-1", max_file_bytes=1, old_files=2)
    for _ in range(5):
        log.append(line(RELEASE, ScoredBatch(datetime.now(UTC), [b"[{}]"], {}, [b"a"], [0.5])))
    found = read_log(tmp_path, RELEASE)
    assert len(found.files) == 3 and found.per_day.total() == 3


def test_a_file_under_two_names_is_read_once(log):
    """As one is that was set aside while the folder was listed."""
    (log / "predictions-1.1.jsonl").hardlink_to(log / "predictions-1.jsonl")
    assert read_log(log, RELEASE).per_day.total() == 3


def test_a_line_that_is_being_written_waits_for_the_next_time(log):
    """It is no broken line."""
    append(log, '{"id": "half')
    found = read_log(log, RELEASE)
    assert (found.per_day.total(), found.unfinished, found.broken) == (3, 1, 0)


@pytest.mark.parametrize(
    "line, why",
    [
        ('{"id": "half{"id": "whole"}', "expected"),
        ("\x00\x00\x00", "expected"),
        ("[]", "list indices"),
        ('{"id": "a"}', "it has no 'time'"),
        ('{"time": 5}', "argument must be str"),
        ('{"time": "2026-01-01T00:00:00"}', "has no zone"),
        (TABLE % '["a"], "score": [null], "features": [{}]', "float"),
        (TABLE % '["a"], "score": [NaN], "features": [{}]', "no finite number"),
        ('{"time": "9999-12-31T23:00:00-23:00", "score": 1, "features": {}, "id": ""}', "range"),
        ('{"time": "2026-01-01T00:00:00Z", "score": 1, "features": [], "id": "a"}', "no object"),
        (TABLE % '["a"], "score": [1], "features": [{}, {}]', "it has 1 ids"),
        (TABLE % '["a"], "score": [1], "features": [5]', "no object"),
        (TABLE % '["a", "b"], "score": [1], "features": [{}, {}]', "it has 2 ids"),
        (TABLE % '["a", 5], "score": [1, 2], "features": [{}, {}]', "is no text"),
    ],
)
def test_a_broken_line_is_counted_and_named(log, write_log, line, why):
    """And what follows is read."""
    append(log, line + "\n")
    write_log(log, "2026-01-03", [{"size": 4}])
    found = read_log(log, RELEASE)
    assert (found.per_day.total(), found.broken) == (4, 1)
    assert found.examples[0].startswith("predictions-1.jsonl:3: ") and why in found.examples[0]


def test_rows_of_other_releases_are_counted_only(log, write_log):
    """Those before a deployment, and those of nobody."""
    write_log(log, "2026-01-03", [{}, {}], release_id="mini-20260101-0002-0123456789ac")
    found = read_log(log, RELEASE)
    assert found.per_day.total() == 3
    assert found.others == {"mini-20260101-0002-0123456789ac": 2}


def test_of_many_rows_a_part_is_kept(tmp_path, write_log, days):
    """Bounded memory: all are counted, and those kept are of all days, the same every time."""
    for day in days(20):
        write_log(tmp_path, day, [{"size": n} for n in range(100)])
    first, again = (read_log(tmp_path, RELEASE, most=1000) for _ in range(2))
    assert first.per_day.total() == 2000
    assert 400 < len(first.sample) <= 1000
    assert len({row.day for row, _ in first.sample}) == 20
    assert first.sample == again.sample


def test_rows_looked_for_are_found_however_many_there_are(tmp_path, write_log, days):
    """A label is joined whether or not its row's features were kept."""
    ids = [i for day in days(10) for i in write_log(tmp_path, day, [{}] * 100)]
    found = read_log(tmp_path, RELEASE, wanted=set(ids), most=50)
    assert found.wanted.keys() == set(ids)


def test_a_log_is_read_while_it_is_written_and_set_aside(tmp_path):
    """What was there is found, no line is broken, and reading ends."""
    log, stop = (
        PredictionLog(tmp_path, "predictions-1", max_file_bytes=20_000, old_files=500),
        threading.Event(),
    )

    sent = json.dumps([{"size": 1}] * 10).encode()
    rows = ScoredBatch(datetime.now(UTC), [sent], {}, [b"a"] * 10, [0.5] * 10)
    written = line(RELEASE, rows)

    def work():
        """Write until told to stop."""
        while not stop.is_set():
            log.append(written)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        wait_for((tmp_path / "predictions-1.1.jsonl").exists)
        before = read_log(tmp_path, RELEASE).per_day.total()
        found = read_log(tmp_path, RELEASE)
    finally:
        stop.set()
        writer.join()
    assert found.broken == 0
    assert found.per_day.total() >= before > 0


@pytest.mark.slow
def test_a_million_lines_are_read_in_bounded_memory(tmp_path):
    """All are counted; the features of a tenth at most are kept."""
    sent = [json.dumps([{"size": 1, "town": "ABC"}] * 100).encode()]
    day = datetime(2026, 1, 1, tzinfo=UTC)
    with (tmp_path / "predictions-1.jsonl").open("wb") as file:
        for hundred in range(10_000):
            ids = [b"%032x" % (100 * hundred + number) for number in range(100)]
            file.write(line(RELEASE, ScoredBatch(day, sent, {}, ids, [0.5] * 100)))
    found = read_log(tmp_path, RELEASE)
    assert found.per_day.total() == 1_000_000
    assert len(found.sample) <= 100_000
