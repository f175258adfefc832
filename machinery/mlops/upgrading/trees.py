"""Read the files of a commit without a checkout, in this repository or another one."""

import os
import stat
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlops.errors import UserError
from mlops.git import variables

LINK, PROGRAM = "120000", "100755"


@dataclass(frozen=True)
class TreeEntry:
    """One file: its mode, and git's object id of its content."""

    mode: str
    blob: str


@dataclass(frozen=True)
class Tree:
    """A commit's files by their path; `git_dir` is the repository that holds them.

    `texts` replace the committed contents of some files; no repository holds them.
    """

    git_dir: Path
    commit: str
    entries: dict[str, TreeEntry]
    texts: dict[str, bytes] = field(default_factory=dict)

    def contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield each of these files with its content."""
        requested = set(paths)
        yield from ((name, self.texts[name]) for name in sorted(requested & self.texts.keys()))
        names = sorted(requested - self.texts.keys())
        blobs = "".join(f"{self.entries[name].blob}\n" for name in names).encode()
        answer = run(self.git_dir, "cat-file", "--batch", content=blobs)
        start = 0
        for name in names:
            end = answer.index(b"\n", start)
            size = int(answer[start:end].split()[2])
            yield name, answer[end + 1 : end + 1 + size]
            start = end + size + 2

    def content(self, path: str) -> bytes:
        """Return the content of one file."""
        return next(self.contents([path]))[1]

    def text(self, path: str) -> str:
        """Return a file as text, "" if it does not exist."""
        return self.content(path).decode(errors="replace") if path in self.entries else ""


def read(git_dir: Path, commit: str) -> Tree:
    """Return the tree of a commit, without submodules."""
    listed = run(git_dir, "ls-tree", "-r", "-z", "--full-tree", commit).decode(
        errors="surrogateescape"
    )
    entries = {}
    for line in filter(None, listed.split("\0")):
        facts, path = line.split("\t", 1)
        mode, kind, blob = facts.split(" ")
        if kind == "blob":
            entries[path] = TreeEntry(mode, blob)
    return Tree(git_dir, commit, entries)


def run(
    git_dir: Path, *arguments: str, content: bytes = b"", environment: dict[str, str] | None = None
) -> bytes:
    """Run git on a repository and return its output as bytes; raises UserError."""
    done = subprocess.run(
        ["git", "--git-dir", str(git_dir), *arguments],
        input=content,
        capture_output=True,
        check=False,
        env=variables(environment),
    )
    if done.returncode:
        raise UserError(
            f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}"
        )
    return done.stdout


def put(path: Path, mode: str, content: bytes) -> None:
    """Write a file of a tree into a checkout that nobody else uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if mode == LINK:
        path.symlink_to(os.fsdecode(content))
        return
    path.write_bytes(content)
    if mode == PROGRAM:
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
