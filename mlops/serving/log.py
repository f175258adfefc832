"""The prediction log: JSON lines, so that labels can be joined by id when they arrive."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic_core import to_json

LARGEST = 64 * 2**20
KEPT = 5


class Scored(NamedTuple):
    """What one call of the model made: its rows, as columns, and an id and a score for each."""

    at: datetime
    columns: Mapping[str, Sequence]
    ids: Sequence[str]
    scores: Sequence[float]


def new_ids(count: int) -> list[str]:
    """Return so many ids that nobody else has."""
    drawn = os.urandom(16 * count).hex()
    return [drawn[first : first + 32] for first in range(0, len(drawn), 32)]


def line(release_id: str | None, scored: Scored) -> bytes:
    """Return a line with all that one call of the model made, a list for each field.

    A thousand rows take a third of the bytes, and of the time, that a line for each would.
    """
    told = {
        "time": scored.at.isoformat(timespec="milliseconds"),
        "release_id": release_id,
        "id": scored.ids,
        "score": scored.scores,
        "features": scored.columns,
    }
    return to_json(told) + b"\n"


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
