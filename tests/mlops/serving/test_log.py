"""The prediction log: whole lines, bounded files, and an error when it cannot be written."""

import json
import os
from datetime import UTC, datetime

import pytest

from mlops.serving.log import PredictionLog, features, lines, predictions


def write(log, number):
    """Log one prediction with this number as its id."""
    log.write("mini-1", [{"size": number}], [{"id": str(number), "score": 0.5}])


def ids(folder):
    """The ids in each file of a folder."""
    return {
        path.name: [json.loads(line)["id"] for line in path.read_text().splitlines()]
        for path in sorted(folder.iterdir())
    }


def test_a_line_holds_what_is_needed_to_join_a_label(tmp_path):
    """Id, time, release, features and score."""
    write(PredictionLog(tmp_path, "log"), 7)
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert line.pop("time").endswith("+00:00")
    assert line == {"id": "7", "score": 0.5, "release_id": "mini-1", "features": {"size": 7}}


def test_full_files_are_set_aside_and_the_oldest_goes(tmp_path):
    """However long it runs, there are only so many files."""
    log = PredictionLog(tmp_path, "log", largest=1, kept=2)
    for number in range(5):
        write(log, number)
    assert ids(tmp_path) == {"log.jsonl": ["4"], "log.1.jsonl": ["3"], "log.2.jsonl": ["2"]}


def test_two_processes_may_share_a_file(tmp_path):
    """While one release replaces another both write, and neither loses a line."""
    one, other = (PredictionLog(tmp_path, "log", largest=1, kept=3) for _ in range(2))
    for number in range(4):
        write((one, other)[number % 2], number)
    assert sorted(sum(ids(tmp_path).values(), [])) == ["0", "1", "2", "3"]


def test_a_removed_file_is_made_again(tmp_path):
    """Somebody may clean up under a running service."""
    log = PredictionLog(tmp_path, "log")
    write(log, 1)
    (tmp_path / "log.jsonl").unlink()
    write(log, 2)
    assert ids(tmp_path) == {"log.jsonl": ["2"]}


def test_a_folder_that_cannot_be_written_raises_and_recovers(tmp_path):
    """The caller decides what a failing log means; later writes try again."""
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    log = PredictionLog(folder, "log")
    with pytest.raises(OSError):
        write(log, 1)
    folder.unlink()
    write(log, 2)
    assert ids(folder) == {"log.jsonl": ["2"]}


ROW = {"size": 5, "weight": 1.5, "kind": None, "color": "é"}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("town", ['a"},{"b\\', "plain", "}, {", '"}\n', "}", '},"{'])
@pytest.mark.parametrize("style", [{}, {"separators": (",", ":")}, {"indent": 2}])
def test_a_line_has_the_row_of_its_prediction(count, town, style):
    """However the request was written, and whatever its texts hold."""
    rows = [{**ROW, "town": town, "size": number} for number in range(count)]
    body = json.dumps({"rows": rows}, **style).encode()
    assert told(body, rows) == list(zip([0.0, 0.5, 1.0], rows))


def test_rows_need_not_be_written_alike():
    """With and without a space, or with line ends, between them."""
    body = b'{"rows":[{"size":0},{"size":1}, {"size":2}\r\n,\n{"size":3}]}'
    rows = [{"size": number} for number in range(4)]
    assert [row for _, row in told(body, rows)] == rows


def told(body, rows):
    """The scores and rows of the lines of a request."""
    made = predictions([number / 2 for number in range(len(rows))])
    content = lines("mini-1", datetime.now(UTC), features(body, rows), made)
    read = [json.loads(line) for line in content.splitlines()]
    assert len({line["id"] for line in read}) == len(rows)
    return [(line["score"], line["features"]) for line in read]


def test_what_a_full_disk_cut_off_spoils_no_other_line(tmp_path, monkeypatch):
    """The disk takes a part, then all again; how many whole lines it took is told."""
    log, write_ = PredictionLog(tmp_path, "log"), os.write
    content = b'{"id":"1"}\n{"id":"2"}\n'
    monkeypatch.setattr(os, "write", lambda file, some: write_(file, some[:15]))
    assert log.append(content) == 1
    monkeypatch.undo()
    assert log.append(content) == 2
    read = (tmp_path / "log.jsonl").read_bytes()
    assert read == b'{"id":"1"}\n{"id\n{"id":"1"}\n{"id":"2"}\n'
