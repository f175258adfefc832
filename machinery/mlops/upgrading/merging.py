"""Merge one file that upstream and the team may have changed since the fork's release."""

import difflib
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mlops.errors import UserError
from mlops.upgrading.trees import TreeEntry

# Letters of a line by which it is known to be the same one in another version of its file.
_TELLING = 9


class Choice(Enum):
    """The version to use: the team's, upstream's, or one merged from both."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


def choose(base: TreeEntry | None, ours: TreeEntry | None, theirs: TreeEntry | None) -> Choice:
    """Return the side whose version to use: BOTH if both changed the file, OURS if neither did."""
    if theirs in (ours, base):
        return Choice.OURS
    return Choice.THEIRS if ours == base else Choice.BOTH


def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Return the three-way merge of a text, None if the changes conflict or it is binary."""
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
    """A rewritten file of upstream with the team's changes, and the changes that do not fit."""

    content: bytes
    rejected: tuple[str, ...]


def replay(base: bytes, ours: bytes, theirs: bytes) -> Replayed:
    """Apply the team's changes to a file that upstream rewrote.

    New lines go behind the nearest line before them that still exists, else to the end. A change of
    lines that no longer exist is left to a person.
    """
    try:
        old, mine, result = (text.decode().splitlines() for text in (base, ours, theirs))
    except UnicodeDecodeError:
        return Replayed(theirs, ("it is no text in UTF-8",))
    rejected: list[str] = []
    # From the end, so that an insertion does not move the lines of later changes.
    for start, gone, new in reversed(list(_changes(old, mine))):
        at = _locate(result, gone) if gone else _behind(result, old, start)
        if at is None:
            rejected.insert(
                0, "\n".join([*(f"-{line}" for line in gone), *(f"+{line}" for line in new)])
            )
        else:
            result[at : at + len(gone)] = new
    return Replayed(("\n".join(result) + "\n").encode(), tuple(rejected))


def _changes(old: list[str], mine: list[str]) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield each difference: the line number, the removed lines and the added ones."""
    matcher = difflib.SequenceMatcher(None, old, mine, autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        if kind != "equal":
            yield start, old[start:end], mine[first:last]


def _locate(lines: list[str], block: list[str]) -> int | None:
    """Return the index of a block of lines, None unless it occurs exactly once."""
    width = len(block)
    indices = [i for i in range(len(lines) - width + 1) if lines[i : i + width] == block]
    return indices[0] if len(indices) == 1 else None


def _behind(lines: list[str], old: list[str], start: int) -> int:
    """Return the index for new lines: behind the nearest line before them that still exists."""
    # Lines added at the end stay at the end; an `endef` or `]` is like every other one.
    before = old[:start] if start < len(old) else []
    for line in reversed(before):
        if len(line.strip()) >= _TELLING and lines.count(line) == 1:
            return lines.index(line) + 1
    return len(lines)


def require_toml(path: str, content: bytes) -> None:
    """Raise UserError if a merged file is invalid TOML, which a clean merge of lines may yield."""
    try:
        tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: your changes and upstream's together are invalid TOML ({error}). Undo "
            "some of your changes, commit, upgrade, then make them again."
        ) from None
