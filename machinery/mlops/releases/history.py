"""The committed versions of a file, newest first."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlops import git
from mlops.errors import UserError
from mlops.releases.release import Release


@dataclass(frozen=True)
class FileVersion:
    """A file as one commit left it; `text` is None if the commit removed it."""

    commit: str
    at: datetime
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


def versions(path: Path) -> list[FileVersion]:
    """Return the versions of a file up to HEAD, newest first; UserError in a shallow clone."""
    _require_full_clone()
    lines = git.git("log", "--format=%H %cI", "HEAD", "--", path.as_posix()).splitlines()
    commits = [line.split(" ", 1) for line in lines]
    blobs = _blobs([f"{commit}:{path.as_posix()}" for commit, _ in commits])
    return [
        FileVersion(commit, datetime.fromisoformat(at), *blob)
        for (commit, at), blob in zip(commits, blobs, strict=True)
    ]


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
