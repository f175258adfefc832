"""Reading a prediction log of any size and content while services write it."""

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

from mlops.serving.answer import Answer

# The number of rows whose features are sampled, by id, so that each reading takes the same rows.
MOST = 100_000
EXAMPLES = 3


@dataclass(frozen=True)
class ServedRow:
    """A row that was scored: its score, or scores, and its day (UTC)."""

    score: float | tuple[float, ...]
    day: str


@dataclass(frozen=True)
class LogLine:
    """A line of the log: rows of one release and day."""

    release_id: str | None
    day: str
    ids: list[str]
    scores: list[float | tuple[float, ...]]
    features: list[dict[str, Any]]


@dataclass
class Log:  # pylint: disable=too-many-instance-attributes # each is reported to the user
    """The logged predictions of one release."""

    files: list[str] = field(default_factory=list)
    # of this release: rows by day, a sample of rows with features, and the labelled rows by id
    per_day: Counter[str] = field(default_factory=Counter)
    sample: list[tuple[ServedRow, dict[str, Any]]] = field(default_factory=list)
    labelled: dict[str, ServedRow] = field(default_factory=dict)
    # rows by other release, and lines that hold no rows
    others: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    examples: list[str] = field(default_factory=list)
    unfinished: int = 0

    def newest(self, days: int) -> list[str]:
        """Return the newest days with rows, at most so many, oldest first."""
        return sorted(self.per_day)[-days:]

    def as_dict(self) -> dict[str, Any]:
        """Return the files and the counts, without the rows."""
        return {
            "files": sorted(self.files),
            "rows": self.per_day.total(),
            "sampled": len(self.sample),
            "other_releases": dict(self.others),
            "broken": self.broken,
            "broken_examples": self.examples,
            "unfinished": self.unfinished,
        }


def read_log(  # pylint: disable=too-many-locals  # one loop and its state
    folder: Path,
    release_id: str,
    labelled: Collection[str] = (),
    most: int = MOST,
    answer: Answer = Answer(),
) -> Log:
    """Read a release's rows from all files of a log; `labelled` are the ids that have a label."""
    log = Log()
    # A row is sampled if its id's hash is below the limit, which halves when there are too many.
    limit = 2**32
    for name, number, line in _lines(folder, log):
        try:
            entry = _parse(line)
            if entry.release_id == release_id:
                _require_scores(entry, answer)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            log.broken += 1
            if len(log.examples) < EXAMPLES:
                log.examples.append(f"{name}:{number}: {_problem(error)}")
            continue
        if entry.release_id != release_id:
            log.others[str(entry.release_id)] += len(entry.ids)
            continue
        log.per_day[entry.day] += len(entry.ids)
        for position, identity in enumerate(entry.ids):
            row = ServedRow(entry.scores[position], entry.day)
            if identity in labelled:
                log.labelled[identity] = row
            if crc32(identity.encode()) < limit:
                log.sample.append((row, entry.features[position] | {"": identity}))
        while len(log.sample) > most:
            limit //= 2
            log.sample = [pair for pair in log.sample if crc32(pair[1][""].encode()) < limit]
    for _, features in log.sample:
        del features[""]
    return log


def _lines(folder: Path, log: Log) -> Iterator[tuple[str, int, bytes]]:
    """Yield file name, line number and content of each line that was complete at the start."""
    for path, file in _opened(folder):
        name = path.name if path == folder else path.relative_to(folder).as_posix()
        log.files.append(name)
        with file:
            left = os.fstat(file.fileno()).st_size
            for number, line in enumerate(file, 1):
                left -= len(line)
                if left < 0 or not line.endswith(b"\n"):
                    # A service is writing it now, or was when its machine stopped.
                    log.unfinished += left >= 0
                    break
                yield name, number, line


def _opened(folder: Path) -> list[tuple[Path, IO[bytes]]]:
    """Open each file once, although rotation may rename it meanwhile.

    Several services may have their own folders in this one, as the pods of a cluster do.
    """
    files: dict[tuple[int, int], tuple[Path, IO[bytes]]] = {}
    while True:
        before = len(files)
        for path in sorted(folder.rglob("*.jsonl")) if folder.is_dir() else [folder]:
            if path.is_dir():
                continue
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) in files:
                file.close()
            else:
                files[(status.st_dev, status.st_ino)] = path, file
        if len(files) == before:
            return list(files.values())


def _parse(line: bytes) -> LogLine:
    """Parse a line; raises ValueError, KeyError, TypeError or OverflowError if it holds no rows."""
    values = from_json(line)
    time = datetime.fromisoformat(values["time"])
    if time.tzinfo is None:
        raise ValueError(f"its time {values['time']!r} has no zone")
    ids, scores, features = values["id"], values["score"], values["features"]
    if isinstance(ids, str):
        # One row without lists: the format of a log that another service wrote.
        ids, scores, features = [ids], [scores], [features]
    scores = [tuple(map(float, s)) if isinstance(s, list) else float(s) for s in scores]
    if not all(isfinite(number) for score in scores for number in _numbers(score)):
        raise ValueError("one of its scores is not a finite number")
    if not all(isinstance(identity, str) for identity in ids):
        raise TypeError("one of its ids is not text")
    if not all(isinstance(row, dict) for row in features):
        raise TypeError("the features of one of its rows are not an object")
    if not len(ids) == len(scores) == len(features):
        raise ValueError(f"it has {len(ids)} ids, {len(scores)} scores and {len(features)} rows")
    day = time.astimezone(UTC).date().isoformat()
    return LogLine(values["release_id"], day, ids, scores, features)


def _numbers(score: float | tuple[float, ...]) -> tuple[float, ...]:
    return score if isinstance(score, tuple) else (score,)


def _require_scores(entry: LogLine, answer: Answer) -> None:
    count = len(answer.names)
    for score in entry.scores:
        if isinstance(score, tuple) != bool(count) or (count and len(score) != count):
            raise ValueError(f"a row has {len(_numbers(score))} scores, not {answer.described()}")


def _problem(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]!r}"
    return str(error)
