"""One file that both upstream and the team may have changed since the release that the fork has."""

import difflib
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mlops.errors import UserError
from mlops.upgrading.trees import Entry


class Choice(Enum):
    """Whose file is the result: the team's, upstream's, or one merged from both."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


def choose(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> Choice:
    """Return whose file it is where at most one side changed it, else that both did."""
    if theirs in (ours, base):
        return Choice.OURS
    return Choice.THEIRS if ours == base else Choice.BOTH


def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Return the three-way merge of a text, None where the changes conflict or it is no text."""
    with tempfile.TemporaryDirectory(prefix="mlops-merge-") as folder:
        names = []
        for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
            (Path(folder) / name).write_bytes(content)
            names.append(name)
        command = ["git", "merge-file", "--stdout", "--quiet", *names]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


@dataclass(frozen=True)
class Replayed:
    """A team's changes made again on a file that upstream wrote anew, and those that do not fit."""

    content: bytes
    left: tuple[str, ...]


def replay(base: bytes, ours: bytes, theirs: bytes) -> Replayed:
    """Make the team's changes again on upstream's file, each at the same lines or behind them.

    For files that upstream rewrote: new lines go behind the nearest line before them that is still
    there, or to the end; a change of lines that are gone is left to a person.
    """
    try:
        old, mine, result = (text.decode().splitlines() for text in (base, ours, theirs))
    except UnicodeDecodeError:
        return Replayed(theirs, ("it is no text in UTF-8",))
    left: list[str] = []
    # From the end, so that a line inserted before does not move what comes after.
    for start, gone, new in reversed(list(_changes(old, mine))):
        at = _locate(result, gone) if gone else _behind(result, old[:start])
        if at is None:
            left.insert(
                0, "\n".join([*(f"-{line}" for line in gone), *(f"+{line}" for line in new)])
            )
        else:
            result[at : at + len(gone)] = new
    return Replayed(("\n".join(result) + "\n").encode(), tuple(left))


def _changes(old: list[str], mine: list[str]) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield where lines differ, the lines that are gone, and those in their place."""
    matcher = difflib.SequenceMatcher(None, old, mine, autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        if kind != "equal":
            yield start, old[start:end], mine[first:last]


def _locate(lines: list[str], block: list[str]) -> int | None:
    """Return where a block of lines is, None where it is not or more than once."""
    width = len(block)
    places = [i for i in range(len(lines) - width + 1) if lines[i : i + width] == block]
    return places[0] if len(places) == 1 else None


def _behind(lines: list[str], before: list[str]) -> int:
    """Return where new lines go: behind the nearest line before them that is still there."""
    for line in reversed(before):
        if line.strip() and lines.count(line) == 1:
            return lines.index(line) + 1
    return len(lines)


def require_toml(path: str, content: bytes) -> None:
    """Raise UserError where a merged file is no TOML: two sides that fit by lines may not fit."""
    try:
        tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: your changes and upstream's make no TOML together ({error}). Commit it "
            "with fewer changes of yours, upgrade, then make them again."
        ) from None
