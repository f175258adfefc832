"""The prediction log: JSON lines, so that labels can be joined by id when they arrive."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_json

LARGEST = 64 * 2**20
KEPT = 5


def features(body: bytes, rows: Sequence[dict]) -> list[bytes]:
    """Return each row of a request without `{` and with a comma: as sent, where that can be told.

    To write a thousand rows anew would take a fifth of the time that it takes to score them.
    """
    # Line ends are between values only; the log has one a row.
    _, *sent = body.replace(b"\n", b" ").replace(b"\r", b" ").split(b"{")
    # One brace for each row and one around them all: no text holds another that could mislead.
    if len(sent) != len(rows) + 1:
        return [to_json(row)[1:] + b"," for row in rows]
    sent[-1] = sent[-1].rsplit(b"}", 2)[0] + b"},"
    return sent[1:]


def predictions(scores: Sequence[float]) -> list[bytes]:
    """Return the inside of the JSON object of each prediction, with an id for each score."""
    ids = os.urandom(16 * len(scores)).hex().encode()
    # One call for all scores: one for each would take ten times as long.
    told = enumerate(to_json(scores)[1:-1].split(b","))
    return [b'"id":"%b","score":%b' % (ids[32 * i : 32 * i + 32], score) for i, score in told]


def lines(
    release_id: str | None, at: datetime, rows: Sequence[bytes], made: Sequence[bytes]
) -> bytes:
    """Return a line for each row, as `features` gives it, and the inside of its prediction."""
    said = to_json({"time": at.isoformat(timespec="milliseconds"), "release_id": release_id})
    begin, end = b'{"features":{', b",%b\n" % said[1:]
    return begin + (end + begin).join(map(b"".join, zip(rows, made))) + end


class PredictionLog:
    """Appends predictions to one file, which is set aside when it grows too large.

    Set aside, `NAME.jsonl` becomes `NAME.1.jsonl`; the oldest of them makes room. Each process
    writes a file of its own.
    """

    def __init__(self, folder: Path, name: str, largest: int = LARGEST, kept: int = KEPT) -> None:
        self._folder, self._name = folder, name
        self._largest, self._kept = largest, kept
        self._file: int | None = None
        self._torn = False

    def write(
        self,
        release_id: str | None,
        rows: list[dict],
        made: list[dict[str, Any]],
        at: datetime | None = None,
    ) -> None:
        """Append a line a prediction, all of them in one write; raises OSError when that fails."""
        sent, told = features(b"", rows), [to_json(one)[1:-1] for one in made]
        if self.append(lines(release_id, at or datetime.now(UTC), sent, told)) != len(rows):
            raise OSError("the disk took a part of the lines only")

    def append(self, content: bytes) -> int:
        """Append whole lines in one write and return how many of them the disk took.

        Raises OSError when it took none.
        """
        file = self._open()
        # What a full disk cut off stays a line of its own, which readers skip.
        content = b"\n" * self._torn + content
        taken = content[: os.write(file, content)]
        whole = taken.count(b"\n") - self._torn
        self._torn = not taken.endswith(b"\n")
        return whole

    def _open(self) -> int:
        """Return the file to append to, after setting a full one aside."""
        path = self._path(0)
        # Another process may have set the file aside, or a person removed it.
        if self._file is not None and self._is_at(path):
            if os.fstat(self._file).st_size < self._largest:
                return self._file
            self._rotate()
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file, self._torn = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), False
        return self._file

    def _is_at(self, path: Path) -> bool:
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        for number in reversed(range(self._kept)):
            if self._path(number).exists():
                self._path(number).replace(self._path(number + 1))

    def _path(self, number: int) -> Path:
        return self._folder / (f"{self._name}.{number}.jsonl" if number else f"{self._name}.jsonl")

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
