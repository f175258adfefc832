"""Reading a prediction log in every state that it can have after months."""

import json
import threading
from datetime import UTC, datetime

import pytest

from machinery.tests.waiting import wait_for
from mlops.monitor.log import ServedRow, read_log
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
    """Append text to the log."""
    with (log / "predictions-1.jsonl").open("a", encoding="utf-8") as file:
        file.write(text)


def test_rows_are_counted_by_day(log):
    """The day of the answer, in UTC."""
    rows = read_log(log, RELEASE)
    assert rows.per_day == {"2026-01-01": 2, "2026-01-02": 1}
    assert [features for _, features in rows.sample] == [{"size": 1}, {"size": 2}, {"size": 3}]


def test_the_time_zone_counts(log):
    """Half past eleven in New York is the next day in UTC."""
    row = {"id": "a", "score": 1, "release_id": RELEASE, "features": {}}
    append(log, json.dumps({**row, "time": "2026-01-02T23:30:00-05:00"}) + "\n")
    assert read_log(log, RELEASE).per_day["2026-01-03"] == 1


def test_a_row_may_stand_without_lists(log):
    """Another service may log one row a line."""
    row = {"id": "a", "score": 1, "release_id": RELEASE, "features": {"size": 4}}
    append(log, json.dumps({**row, "time": "2026-01-02T12:00:00Z"}) + "\n")
    rows = read_log(log, RELEASE, labelled={"a"})
    assert rows.per_day["2026-01-02"] == 2 and rows.labelled == {"a": ServedRow(1.0, "2026-01-02")}
    assert rows.sample[-1][1] == {"size": 4}


def test_no_log_is_an_empty_one(tmp_path):
    """Nothing was served or logged."""
    assert read_log(tmp_path / "none", RELEASE).per_day.total() == 0


def test_folders_of_several_services_are_read(log, write_log):
    """Pods that share a volume have files of the same name in folders of their own."""
    (log / "pod").mkdir()
    write_log(log / "pod", "2026-01-02", [{"size": 4}])
    rows = read_log(log, RELEASE)
    assert rows.per_day == {"2026-01-01": 2, "2026-01-02": 2}
    assert "pod/predictions-1.jsonl" in rows.files


def test_a_log_may_be_one_file(log):
    """MLOPS_LOG may name it."""
    (file,) = log.glob("*.jsonl")
    assert read_log(file, RELEASE).per_day == read_log(log, RELEASE).per_day
    assert read_log(file, RELEASE).files == [file.name]


def test_a_folder_may_be_named_like_a_log(log, write_log):
    """It is no file; what is in it is read."""
    (log / "pod.jsonl").mkdir()
    write_log(log / "pod.jsonl", "2026-01-02", [{"size": 4}])
    assert read_log(log, RELEASE).files == ["pod.jsonl/predictions-1.jsonl", "predictions-1.jsonl"]


def test_only_the_newest_days_are_selected(log):
    """Days without rows do not count."""
    assert read_log(log, RELEASE).newest(1) == ["2026-01-02"]


def test_rotated_files_are_read_too(tmp_path):
    """All files that the log kept."""
    log = PredictionLog(tmp_path, "predictions-1", max_file_bytes=1, old_files=2)
    for _ in range(5):
        log.append(line(RELEASE, ScoredBatch(datetime.now(UTC), [b"[{}]"], {}, [b"a"], [0.5])))
    rows = read_log(tmp_path, RELEASE)
    assert len(rows.files) == 3 and rows.per_day.total() == 3


def test_a_file_under_two_names_is_read_once(log):
    """A file may be rotated while the folder is listed."""
    (log / "predictions-1.1.jsonl").hardlink_to(log / "predictions-1.jsonl")
    assert read_log(log, RELEASE).per_day.total() == 3


def test_a_line_that_is_being_written_is_not_broken(log):
    """It is counted as unfinished."""
    append(log, '{"id": "half')
    rows = read_log(log, RELEASE)
    assert (rows.per_day.total(), rows.unfinished, rows.broken) == (3, 1, 0)


@pytest.mark.parametrize(
    "line, reason",
    [
        ('{"id": "half{"id": "whole"}', "expected"),
        ("\x00\x00\x00", "expected"),
        ("[]", "list indices"),
        ('{"id": "a"}', "it has no 'time'"),
        ('{"time": 5}', "argument must be str"),
        ('{"time": "2026-01-01T00:00:00"}', "has no zone"),
        (TABLE % '["a"], "score": [null], "features": [{}]', "float"),
        (TABLE % '["a"], "score": [NaN], "features": [{}]', "not a finite number"),
        ('{"time": "9999-12-31T23:00:00-23:00", "score": 1, "features": {}, "id": ""}', "range"),
        (
            '{"time": "2026-01-01T00:00:00Z", "score": 1, "features": [], "id": "a"}',
            "not an object",
        ),
        (TABLE % '["a"], "score": [1], "features": [{}, {}]', "it has 1 ids"),
        (TABLE % '["a"], "score": [1], "features": [5]', "not an object"),
        (TABLE % '["a", "b"], "score": [1], "features": [{}, {}]', "it has 2 ids"),
        (TABLE % '["a", 5], "score": [1, 2], "features": [{}, {}]', "is not text"),
    ],
)
def test_a_broken_line_is_counted_and_named(log, write_log, line, reason):
    """The lines after it are read."""
    append(log, line + "\n")
    write_log(log, "2026-01-03", [{"size": 4}])
    rows = read_log(log, RELEASE)
    assert (rows.per_day.total(), rows.broken) == (4, 1)
    assert rows.examples[0].startswith("predictions-1.jsonl:3: ") and reason in rows.examples[0]


def test_rows_of_other_releases_are_counted_only(log, write_log):
    """For example, rows before a deployment."""
    write_log(log, "2026-01-03", [{}, {}], release_id="mini-20260101-0002-0123456789ac")
    rows = read_log(log, RELEASE)
    assert rows.per_day.total() == 3
    assert rows.others == {"mini-20260101-0002-0123456789ac": 2}


def test_of_many_rows_a_sample_is_kept(tmp_path, write_log, days):
    """All rows are counted; the sample is of all days and the same every time."""
    for day in days(20):
        write_log(tmp_path, day, [{"size": n} for n in range(100)])
    first, again = (read_log(tmp_path, RELEASE, most=1000) for _ in range(2))
    assert first.per_day.total() == 2000
    assert 400 < len(first.sample) <= 1000
    assert len({row.day for row, _ in first.sample}) == 20
    assert first.sample == again.sample


def test_labelled_rows_are_kept_however_many_there_are(tmp_path, write_log, days):
    """A label is joined whether or not its row is in the sample."""
    ids = [i for day in days(10) for i in write_log(tmp_path, day, [{}] * 100)]
    rows = read_log(tmp_path, RELEASE, labelled=set(ids), most=50)
    assert rows.labelled.keys() == set(ids)


def test_a_log_is_read_while_it_is_written_and_rotated(tmp_path):
    """All earlier rows are read, no line is broken, and reading ends."""
    log, stop = (
        PredictionLog(tmp_path, "predictions-1", max_file_bytes=20_000, old_files=500),
        threading.Event(),
    )

    sent = json.dumps([{"size": 1}] * 10).encode()
    rows = ScoredBatch(datetime.now(UTC), [sent], {}, [b"a"] * 10, [0.5] * 10)
    written = line(RELEASE, rows)

    def work():
        """Write until the event is set."""
        while not stop.is_set():
            log.append(written)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        wait_for((tmp_path / "predictions-1.1.jsonl").exists)
        before = read_log(tmp_path, RELEASE).per_day.total()
        after = read_log(tmp_path, RELEASE)
    finally:
        stop.set()
        writer.join()
    assert after.broken == 0
    assert after.per_day.total() >= before > 0


@pytest.mark.slow
def test_a_million_lines_are_read_in_bounded_memory(tmp_path):
    """All are counted; the sample is at most a tenth."""
    sent = [json.dumps([{"size": 1, "town": "ABC"}] * 100).encode()]
    day = datetime(2026, 1, 1, tzinfo=UTC)
    with (tmp_path / "predictions-1.jsonl").open("wb") as file:
        for hundred in range(10_000):
            ids = [b"%032x" % (100 * hundred + number) for number in range(100)]
            file.write(line(RELEASE, ScoredBatch(day, sent, {}, ids, [0.5] * 100)))
    rows = read_log(tmp_path, RELEASE)
    assert rows.per_day.total() == 1_000_000
    assert len(rows.sample) <= 100_000
