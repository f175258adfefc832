"""The prediction log: JSON lines, so that labels can be joined by id when they arrive."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_json

LARGEST = 64 * 2**20
KEPT = 5


class PredictionLog:
    """Appends predictions to one file, which is set aside when it grows too large.

    Set aside, `NAME.jsonl` becomes `NAME.1.jsonl`; the oldest of them makes room. Each process
    writes a file of its own.
    """

    def __init__(self, folder: Path, name: str, largest: int = LARGEST, kept: int = KEPT) -> None:
        self._folder, self._name = folder, name
        self._largest, self._kept = largest, kept
        self._file: int | None = None

    def write(
        self,
        release_id: str | None,
        rows: list[dict],
        predictions: list[dict[str, Any]],
        at: datetime | None = None,
    ) -> None:
        """Append a line a prediction, all of them in one write, as of now unless told otherwise.

        Raises OSError when that fails.
        """
        time = (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
        lines = [
            to_json({**made, "time": time, "release_id": release_id, "features": row})
            for made, row in zip(predictions, rows)
        ]
        content = b"\n".join([*lines, b""])
        if os.write(self._open(), content) != len(content):
            raise OSError("the disk took a part of the lines only")

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
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
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
