"""The prediction log: JSON lines, so that labels can be joined by id when they arrive."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic_core import to_json

LARGEST = 64 * 2**20
KEPT = 5


class Scored(NamedTuple):
    """What one call of the model made: an id and a score for each row of one request or several.

    The rows as bodies of requests, and as columns.
    """

    at: datetime
    sent: Sequence[bytes]
    columns: Mapping[str, Sequence]
    ids: Sequence[bytes]
    scores: Sequence[float]


def new_ids(count: int) -> list[bytes]:
    """Return so many ids that nobody else has."""
    drawn = os.urandom(16 * count).hex().encode()
    return [drawn[first : first + 32] for first in range(0, len(drawn), 32)]


def line(release_id: str | None, scored: Scored) -> bytes:
    """Return one line with all that a call of the model made: a list of each, in one order."""
    told = {"time": scored.at.isoformat(timespec="milliseconds"), "release_id": release_id}
    ids, scores = b'","'.join(scored.ids), to_json(scored.scores)
    made = (b',"id":["', ids, b'"],"score":', scores, b',"features":[', *_features(scored))
    return b"".join((to_json(told)[:-1], *made, b"]}\n"))


def _features(scored: Scored) -> Iterator[bytes | memoryview]:
    """Yield the rows as they were sent, where that can be told: to write them anew takes long."""
    # One list in a body, and no text that looks like one: what is in it are the rows.
    if all(_once(b"[", body) and _once(b"]", body) for body in scored.sent):
        for number, body in enumerate(scored.sent):
            if b"\n" in body or b"\r" in body:
                # They are between values only, and the log has one a line.
                body = body.replace(b"\n", b" ").replace(b"\r", b" ")
            yield b"," * (number > 0)
            yield memoryview(body)[body.index(b"[") + 1 : body.index(b"]")]
    else:
        rows = zip(*scored.columns.values(), strict=True)
        yield to_json([dict(zip(scored.columns, row)) for row in rows])[1:-1]


def _once(mark: bytes, body: bytes) -> bool:
    # Ten times as fast as to count.
    return body.find(mark) == body.rfind(mark)


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
