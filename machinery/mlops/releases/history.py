"""The committed versions of a file, on all sides of every merge, newest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlops import git
from mlops.errors import UserError
from mlops.releases.release import Release


@dataclass(frozen=True)
class FileVersion:
    """A file as one commit left it; `text` is None if the commit removed it.

    `parents` are the commits of the versions before it: two or more if sides with different
    versions were merged.
    """

    commit: str
    at: datetime
    parents: tuple[str, ...]
    blob: str
    text: str | None


@dataclass(frozen=True)
class HistoryEntry:
    """A version of an environment's release file, and the release in it, if any."""

    version: FileVersion
    release: Release | None

    @property
    def release_id(self) -> str | None:
        """The id of the release, None for none."""
        return self.release and self.release.release_id

    @property
    def is_rollback(self) -> bool:
        """Whether a rollback wrote it."""
        return self.release is not None and self.release.spec.rollback is not None


def versions(path: Path, tip: str = "HEAD") -> list[FileVersion]:
    """Return the versions of a file up to `tip`, each before its parents.

    Raises UserError in a shallow clone.
    """
    _require_full_clone()
    # By default git follows one side of a merge only, and `git merge -s ours` hides the other one.
    # With this option each commit comes before its parents, which are versions too.
    options = ("--simplify-merges", "--format=%H %cI %P")
    lines = git.git("log", *options, tip, "--", path.as_posix()).splitlines()
    commits = [line.split() for line in lines]
    blobs = _blobs([f"{commit}:{path.as_posix()}" for commit, *_ in commits])
    return [
        FileVersion(commit, datetime.fromisoformat(at), tuple(parents), *blob)
        for (commit, at, *parents), blob in zip(commits, blobs, strict=True)
    ]


def merges(commits: Iterable[str]) -> set[str]:
    """Return those of the commits that are merges."""
    content = "".join(f"{commit}\n" for commit in commits).encode()
    if not content:
        return set()
    listed = git.output("rev-list", "--no-walk=unsorted", "--merges", "--stdin", content=content)
    return set(listed.decode().split())


def reaches(commit: str, tip: str = "HEAD") -> bool:
    """Return whether `tip` is or descends from a commit; UserError if a shallow clone hides it."""
    is_ancestor = git.descends(tip, commit)
    if not is_ancestor:
        _require_full_clone()
    return is_ancestor


def _require_full_clone() -> None:
    if git.git("rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            "This clone holds only a part of the history, and promotions are judged by it. "
            "Fetch the rest: git fetch --unshallow (in a workflow: checkout with fetch-depth: 0)."
        )


def _blobs(names: list[str]) -> list[tuple[str, str | None]]:
    """Return the id and text of blobs named as `commit:path`, read by one git process."""
    content = "".join(f"{name}\n" for name in names).encode()
    output, blobs = git.output("cat-file", "--batch", content=content), []
    for name in names:
        first, _, output = output.partition(b"\n")
        if first.endswith(b" missing"):
            _require_removed(*name.split(":", 1))
            blobs.append(("", None))
            continue
        blob, _, size = first.decode().split(" ")
        blobs.append((blob, output[: int(size)].decode(errors="replace")))
        output = output[int(size) + 1 :]
    return blobs


def _require_removed(commit: str, path: str) -> None:
    """Raise UserError if a commit has a file whose content this clone has lost."""
    if git.show(commit, Path(path)) is not None:
        raise UserError(f"git cannot read {commit}:{path} here. Fetch again: git fetch --refetch.")
