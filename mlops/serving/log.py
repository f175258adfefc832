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
    """Return the inside of each row of a request: as it was sent, where that can be told.

    To write a thousand rows anew would take a fifth of the time that it takes to score them.
    """
    between = b"}, {" if b"}, {" in body else b"},{"
    # Braces of the rows and one pair around them: no text holds another that could mislead.
    if body.count(b"{") == body.count(b"}") == len(rows) + 1 == body.count(between) + 2:
        # Line ends are between values only; the log has one a row.
        sent = body.replace(b"\n", b" ").replace(b"\r", b" ")
        return sent.split(b"{", 2)[2].rsplit(b"}", 2)[0].split(between)
    return [to_json(row)[1:-1] for row in rows]


def lines(
    release_id: str | None,
    rows: Sequence[bytes],
    predictions: Sequence[dict[str, Any]],
    at: datetime | None = None,
) -> bytes:
    """Return a line for each prediction and the inside of its row, as of now unless told."""
    time = (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
    said = to_json({"time": time, "release_id": release_id})[1:-1]
    # One call for all predictions is four times as fast; an id has no braces.
    made = to_json(predictions)[2:-2].split(b"},{")
    return b"".join(
        [b'{%b,%b,"features":{%b}}\n' % (one, said, row) for one, row in zip(made, rows)]
    )


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
        predictions: list[dict[str, Any]],
        at: datetime | None = None,
    ) -> None:
        """Append a line a prediction, all of them in one write; raises OSError when that fails."""
        content = lines(release_id, [to_json(row)[1:-1] for row in rows], predictions, at)
        if self.append(content) != len(rows):
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
