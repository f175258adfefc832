"""Reading a prediction log: whatever is in it, however much, and while it is written."""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import IO, Any
from zlib import crc32

from pydantic_core import from_json

# Rows whose features are kept. Of more, a part is, chosen by id: the same rows on every reading.
MOST = 100_000
NAMED = 3


@dataclass(frozen=True)
class Served:
    """A row that was scored: its score and its day (UTC)."""

    score: float
    day: str


@dataclass(frozen=True)
class Made:
    """What a line holds: rows of one release and day."""

    release_id: str | None
    day: str
    ids: list[str]
    scores: list[float]
    features: list[dict[str, Any]]


@dataclass
class Log:  # pylint: disable=too-many-instance-attributes # each is told to the user
    """What one release answered, as far as it was logged."""

    files: list[str] = field(default_factory=list)
    # of this release: rows a day, a sample of rows with their features, and the rows asked for
    per_day: Counter[str] = field(default_factory=Counter)
    sample: list[tuple[Served, dict[str, Any]]] = field(default_factory=list)
    wanted: dict[str, Served] = field(default_factory=dict)
    # of other releases, and what is no row
    others: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    examples: list[str] = field(default_factory=list)
    unfinished: int = 0

    def newest(self, days: int) -> list[str]:
        """Return the newest days with rows, at most so many, oldest first."""
        return sorted(self.per_day)[-days:]

    def as_dict(self) -> dict[str, Any]:
        """Return what was read, without the rows."""
        return {
            "files": sorted(self.files),
            "rows": self.per_day.total(),
            "sampled": len(self.sample),
            "other_releases": dict(self.others),
            "broken": self.broken,
            "broken_examples": self.examples,
            "unfinished": self.unfinished,
        }


def read_log(folder: Path, release_id: str, wanted: Collection[str] = (), most: int = MOST) -> Log:
    """Read the rows of a release from all files of a log; `wanted` are ids looked for."""
    log = Log()
    # A row is kept if a hash of its id is below the limit, which halves when there are too many.
    limit = 2**32
    for name, number, line in _lines(folder, log):
        try:
            made = _parse(line)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            log.broken += 1
            if len(log.examples) < NAMED:
                log.examples.append(f"{name}:{number}: {_why(error)}")
            continue
        if made.release_id != release_id:
            log.others[str(made.release_id)] += len(made.ids)
            continue
        log.per_day[made.day] += len(made.ids)
        for place, identity in enumerate(made.ids):
            served = Served(made.scores[place], made.day)
            if identity in wanted:
                log.wanted[identity] = served
            if crc32(identity.encode()) < limit:
                log.sample.append((served, made.features[place] | {"": identity}))
        while len(log.sample) > most:
            limit //= 2
            log.sample = [kept for kept in log.sample if crc32(kept[1][""].encode()) < limit]
    for _, features in log.sample:
        del features[""]
    return log


def _lines(folder: Path, log: Log) -> Iterator[tuple[str, int, bytes]]:
    """Yield file name, line number and content of every whole line there was when this began."""
    for path, file in _opened(folder):
        name = path.relative_to(folder).as_posix()
        log.files.append(name)
        with file:
            left = os.fstat(file.fileno()).st_size
            for number, line in enumerate(file, 1):
                left -= len(line)
                if left < 0 or not line.endswith(b"\n"):
                    # Somebody writes it right now, or did when the machine stopped.
                    log.unfinished += left >= 0
                    break
                yield name, number, line


def _opened(folder: Path) -> list[tuple[Path, IO[bytes]]]:
    """Open each file once, whatever names it gets while it is set aside for a new one.

    Several services may have folders of their own in this one, as the pods of a cluster do.
    """
    seen: dict[tuple[int, int], tuple[Path, IO[bytes]]] = {}
    while True:
        before = len(seen)
        for path in sorted(folder.rglob("*.jsonl")):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) in seen:
                file.close()
            else:
                seen[(status.st_dev, status.st_ino)] = path, file
        if len(seen) == before:
            return list(seen.values())


def _parse(line: bytes) -> Made:
    """Return what a line holds; raises what a line that holds no rows does."""
    told = from_json(line)
    time = datetime.fromisoformat(told["time"])
    if time.tzinfo is None:
        raise ValueError(f"its time {told['time']!r} has no zone")
    ids, scores, features = told["id"], told["score"], told["features"]
    if isinstance(ids, str):
        # One row without lists: so may a log be that another service wrote.
        ids, scores, features = [ids], [scores], [features]
    scores = [float(score) for score in scores]
    if not all(map(isfinite, scores)):
        raise ValueError("one of its scores is no finite number")
    if not all(isinstance(identity, str) for identity in ids):
        raise TypeError("one of its ids is no text")
    if not all(isinstance(row, dict) for row in features):
        raise TypeError("the features of one of its rows are no object")
    if not len(ids) == len(scores) == len(features):
        raise ValueError(f"it has {len(ids)} ids, {len(scores)} scores and {len(features)} rows")
    day = time.astimezone(UTC).date().isoformat()
    return Made(told["release_id"], day, ids, scores, features)


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]!r}"
    return str(error)
