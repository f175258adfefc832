"""The prediction log: JSON lines, so that labels can be joined by id when they arrive."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic_core import to_json

MAX_FILE_BYTES = 64 * 2**20
OLD_FILES = 5


class ScoredBatch(NamedTuple):
    """One call of the model: the rows of one or more requests, with an id and a score each.

    `bodies` holds the rows as the clients sent them, `columns` the same rows parsed.
    """

    time: datetime
    bodies: Sequence[bytes]
    columns: Mapping[str, Sequence]
    ids: Sequence[bytes]
    scores: Sequence[float | list[float]]


def new_ids(count: int) -> list[bytes]:
    """Return new random ids."""
    digits = os.urandom(16 * count).hex().encode()
    return [digits[first : first + 32] for first in range(0, len(digits), 32)]


def line(release_id: str | None, batch: ScoredBatch) -> bytes:
    """Return the log line of one batch: lists of ids, scores and rows, in the same order."""
    head = {"time": batch.time.isoformat(timespec="milliseconds"), "release_id": release_id}
    ids, scores = b'","'.join(batch.ids), to_json(batch.scores)
    lists = (b',"id":["', ids, b'"],"score":', scores, b',"features":[', *_features(batch))
    return b"".join((to_json(head)[:-1], *lists, b"]}\n"))


def _features(batch: ScoredBatch) -> Iterator[bytes | memoryview]:
    """Yield the rows as the clients sent them, if possible: to serialise them again takes long."""
    # If each body has one pair of brackets, the rows are between them.
    if all(_occurs_once(b"[", body) and _occurs_once(b"]", body) for body in batch.bodies):
        for number, body in enumerate(batch.bodies):
            if b"\n" in body or b"\r" in body:
                # In JSON they stand only between values; here they would end the log line.
                body = body.replace(b"\n", b" ").replace(b"\r", b" ")
            yield b"," * (number > 0)
            yield memoryview(body)[body.index(b"[") + 1 : body.index(b"]")]
    else:
        rows = zip(*batch.columns.values(), strict=True)
        yield to_json([dict(zip(batch.columns, row)) for row in rows])[1:-1]


def _occurs_once(character: bytes, body: bytes) -> bool:
    # Ten times as fast as count().
    return body.find(character) == body.rfind(character)


class PredictionLog:
    """Appends predictions to one file, and rotates it when it is full.

    Rotation renames `NAME.jsonl` to `NAME.1.jsonl` and so on, and deletes the oldest file. Each
    process writes its own file.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        max_file_bytes: int = MAX_FILE_BYTES,
        old_files: int = OLD_FILES,
    ) -> None:
        self._folder, self._name = folder, name
        self._max_file_bytes, self._old_files = max_file_bytes, old_files
        self._file: int | None = None
        self._ends_in_partial_line = False

    def append(self, content: bytes) -> int:
        """Append whole lines in one write, and return the number of lines that the disk took.

        Raises OSError if the disk took none.
        """
        file = self._open()
        # A partial line, cut off by a full disk, stays a line by itself; readers skip it.
        content = b"\n" * self._ends_in_partial_line + content
        written = content[: os.write(file, content)]
        lines = written.count(b"\n") - self._ends_in_partial_line
        self._ends_in_partial_line = not written.endswith(b"\n")
        return lines

    def _open(self) -> int:
        """Return the file to append to; rotate a full one first."""
        path = self._path(0)
        # Another process may have rotated the file, or a person removed it.
        if self._file is not None and self._is_at(path):
            if os.fstat(self._file).st_size < self._max_file_bytes:
                return self._file
            self._rotate()
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._ends_in_partial_line = False
        return self._file

    def _is_at(self, path: Path) -> bool:
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        for number in reversed(range(self._old_files)):
            if self._path(number).exists():
                self._path(number).replace(self._path(number + 1))

    def _path(self, number: int) -> Path:
        return self._folder / (f"{self._name}.{number}.jsonl" if number else f"{self._name}.jsonl")

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
