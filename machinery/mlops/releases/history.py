"""What git remembers of a file: every version that was committed, newest first."""

import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlops import git
from mlops.errors import UserError


@dataclass(frozen=True)
class Version:
    """A file as one commit left it; `text` is None where the commit removed it."""

    commit: str
    at: datetime
    blob: str
    text: str | None


def versions(path: Path) -> list[Version]:
    """Return the versions of a file up to HEAD, newest first; UserError in a shallow clone."""
    _require_whole()
    lines = git.git("log", "--format=%H %cI", "HEAD", "--", path.as_posix()).splitlines()
    commits = [line.split(" ", 1) for line in lines]
    blobs = _blobs([f"{commit}:{path.as_posix()}" for commit, _ in commits])
    return [
        Version(commit, datetime.fromisoformat(at), *blob)
        for (commit, at), blob in zip(commits, blobs, strict=True)
    ]


def reaches(commit: str) -> bool:
    """Say whether HEAD is or descends from a commit; UserError if a shallow clone cannot tell."""
    # Git prints nothing for a commit it does not know.
    found = git.git("merge-base", commit, "HEAD", check=False) == commit
    if not found:
        _require_whole()
    return found


def _require_whole() -> None:
    if git.git("rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            "This clone holds only a part of the history, and promotions are judged by it. "
            "Fetch the rest: git fetch --unshallow (in a workflow: checkout with fetch-depth: 0)."
        )


def _blobs(names: list[str]) -> list[tuple[str, str | None]]:
    """Return the id and text of blobs named as `commit:path`, all of them by one git."""
    done = subprocess.run(
        ["git", "cat-file", "--batch"],
        input="".join(f"{name}\n" for name in names).encode(),
        capture_output=True,
        check=True,
    )
    output, found = done.stdout, []
    for _ in names:
        first, _, output = output.partition(b"\n")
        if first.endswith(b" missing"):
            found.append(("", None))
            continue
        blob, _, size = first.decode().split(" ")
        found.append((blob, output[: int(size)].decode(errors="replace")))
        output = output[int(size) + 1 :]
    return found
