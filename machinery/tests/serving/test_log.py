"""The prediction log: whole lines, bounded files, and an error when it cannot be written."""

import json
import os
from datetime import UTC, datetime

import pytest

from mlops.serving.log import PredictionLog, ScoredBatch, line, new_ids

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def batch_of(rows, ids, **style):
    """A batch with one request for each row."""
    bodies = [json.dumps({"rows": [row]}, **style).encode() for row in rows]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return ScoredBatch(NOON, bodies, columns, ids, [1 / 3] * len(ids))


def write(log, number):
    """Log one prediction with this number as its id."""
    log.append(line("mini-1", batch_of([{"size": number}], [b"%d" % number])))


def ids(folder):
    """The ids in each file of a folder."""
    return {
        path.name: [json.loads(text)["id"][0] for text in path.read_text().splitlines()]
        for path in sorted(folder.iterdir())
    }


def test_a_line_holds_what_is_needed_to_join_a_label(tmp_path):
    """The line holds id, time, release, features and score."""
    write(PredictionLog(tmp_path, "log"), 7)
    read = json.loads((tmp_path / "log.jsonl").read_text())
    assert read.pop("time") == "2026-01-01T12:00:00.000+00:00"
    expected = {"id": ["7"], "score": [1 / 3], "features": [{"size": 7}]}
    assert read == {"release_id": "mini-1", **expected}


def test_full_files_are_rotated_and_the_oldest_is_deleted(tmp_path):
    """The number of files is bounded."""
    log = PredictionLog(tmp_path, "log", max_file_bytes=1, old_files=2)
    for number in range(5):
        write(log, number)
    assert ids(tmp_path) == {"log.jsonl": ["4"], "log.1.jsonl": ["3"], "log.2.jsonl": ["2"]}


def test_two_processes_may_share_a_file(tmp_path):
    """During a deployment two releases write, and neither loses a line."""
    one, other = (PredictionLog(tmp_path, "log", max_file_bytes=1, old_files=3) for _ in range(2))
    for number in range(4):
        write((one, other)[number % 2], number)
    assert sorted(sum(ids(tmp_path).values(), [])) == ["0", "1", "2", "3"]


def test_a_removed_file_is_created_again(tmp_path):
    """A person may remove the file of a running service."""
    log = PredictionLog(tmp_path, "log")
    write(log, 1)
    (tmp_path / "log.jsonl").unlink()
    write(log, 2)
    assert ids(tmp_path) == {"log.jsonl": ["2"]}


def test_a_folder_that_cannot_be_written_raises_and_recovers(tmp_path):
    """The caller handles the error; later writes try again."""
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    log = PredictionLog(folder, "log")
    with pytest.raises(OSError):
        write(log, 1)
    folder.unlink()
    write(log, 2)
    assert ids(folder) == {"log.jsonl": ["2"]}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("town", ['a"},{"b\\', "plain", "}, {", '"}\n\r', "[", "]}", '],"["', "é"])
@pytest.mark.parametrize("style", [{}, {"separators": (",", ":")}, {"indent": 2}])
def test_a_line_has_the_row_of_each_prediction(count, town, style):
    """Whatever the format and the texts of the requests, and nothing is rounded."""
    rest = {"town": town, "weight": 0.1 + 0.2, "kind": None}
    rows = [{"size": number, **rest} for number in range(count)]
    content = line("mini-1", batch_of(rows, [b"a"] * count, **style))
    assert content.endswith(b"\n") and content.count(b"\n") == 1
    read = json.loads(content)
    assert (read["features"], read["score"]) == (rows, [1 / 3] * count)


def test_requests_of_several_rows_are_one_line():
    """The rows may be separated by spaces or line ends."""
    bodies = [
        b'{"rows":[{"size":0},{"size":1}, {"size":2}\r\n,\n{"size":3}]}',
        b'{"rows":[{"size":4}]}',
    ]
    read = json.loads(line("mini-1", ScoredBatch(NOON, bodies, {}, [], [])))
    assert read["features"] == [{"size": number} for number in range(5)]


def test_of_a_repeated_key_the_last_value_is_logged():
    """JSON allows repeated keys; the model scores the last value."""
    body = b'{"rows":[{"size":1}],"rows":[{"size":2}]}'
    read = json.loads(line("mini-1", ScoredBatch(NOON, [body], {"size": [2]}, [b"a"], [0.5])))
    assert read["features"] == [{"size": 2}]


def test_ids_are_unique():
    """Each has thirty-two characters."""
    ids = new_ids(1000)
    assert len(set(ids)) == 1000 and {len(one) for one in ids} == {32}


def test_a_line_cut_off_by_a_full_disk_spoils_no_other(tmp_path, monkeypatch):
    """The disk takes a part, then all again; append returns the number of whole lines."""
    log, write_ = PredictionLog(tmp_path, "log"), os.write
    content = b'{"id":"1"}\n{"id":"2"}\n'
    monkeypatch.setattr(os, "write", lambda file, data: write_(file, data[:15]))
    assert log.append(content) == 1
    monkeypatch.undo()
    assert log.append(content) == 2
    read = (tmp_path / "log.jsonl").read_bytes()
    assert read == b'{"id":"1"}\n{"id\n{"id":"1"}\n{"id":"2"}\n'
