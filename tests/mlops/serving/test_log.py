"""The prediction log: whole lines, bounded files, and an error when it cannot be written."""

import json
import os
from datetime import UTC, datetime

import pytest

from mlops.serving.log import PredictionLog, Scored, line, new_ids

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def write(log, number):
    """Log one prediction with this number as its id."""
    log.append(line("mini-1", Scored(NOON, {"size": [number]}, [str(number)], [0.5])))


def ids(folder):
    """The ids in each file of a folder."""
    return {
        path.name: [json.loads(text)["id"][0] for text in path.read_text().splitlines()]
        for path in sorted(folder.iterdir())
    }


def test_a_line_holds_what_is_needed_to_join_a_label(tmp_path):
    """Id, time, release, features and score."""
    write(PredictionLog(tmp_path, "log"), 7)
    read = json.loads((tmp_path / "log.jsonl").read_text())
    assert read.pop("time") == "2026-01-01T12:00:00.000+00:00"
    made = {"id": ["7"], "score": [0.5], "features": {"size": [7]}}
    assert read == {"release_id": "mini-1", **made}


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


@pytest.mark.parametrize("town", ['a"},{"b\\', "plain", "\n\r", "é"])
def test_a_line_is_one_whatever_the_rows_hold(town):
    """Texts of clients end no line, and nothing is rounded or left out."""
    columns = {"town": [town, None], "size": [5, 6], "weight": [0.1 + 0.2, None]}
    content = line("mini-1", Scored(NOON, columns, ["a", "b"], [1 / 3, 1e-9]))
    assert content.endswith(b"\n") and content.count(b"\n") == 1
    read = json.loads(content)
    assert (read["features"], read["score"]) == (columns, [1 / 3, 1e-9])


def test_ids_are_given_once():
    """Thirty-two characters each."""
    ids = new_ids(1000)
    assert len(set(ids)) == 1000 and {len(one) for one in ids} == {32}


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
