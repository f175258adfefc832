"""The prediction log: whole lines, bounded files, and an error when it cannot be written."""

import json

import pytest

from mlops.serving.log import PredictionLog


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
