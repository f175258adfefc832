"""The releases that an environment has held, read from the commits of its release file."""

from collections.abc import Mapping
from functools import reduce

from mlops import git
from mlops.errors import Refused
from mlops.releases.history import FileVersion, HistoryEntry, versions
from mlops.releases.release import Release, release_file
from mlops.releases.rules.integrity import parse_sealed

# Oldest first.
History = tuple[HistoryEntry, ...]


def release_at(commit: str, environment: str) -> Release | None:
    """Return the release an environment held at a commit; Refused if its file was broken."""
    file = release_file(environment)
    return parse_sealed(git.show(commit, file), file)


def release_history(environment: str) -> list[HistoryEntry]:
    """Return the versions that promotions and rollbacks wrote, newest first.

    A version counts if it supersedes the one before it and is new: edits by hand, reverts by git
    and files computed against another release do not count. A merge drops no version of a side.
    """
    file = release_file(environment)
    histories: dict[str, History] = {}
    history: History = ()
    for version in reversed(versions(file)):
        history = _before(version, histories)
        try:
            entry = HistoryEntry(version, parse_sealed(version.text, file))
        except Refused:
            pass
        else:
            history += (entry,) if _counts(entry, history) else ()
        histories[version.commit] = history
    return list(reversed(history))


def _before(version: FileVersion, histories: Mapping[str, History]) -> History:
    """Return the history of a commit's parents."""
    sides = [histories[parent] for parent in version.parents]
    return reduce(lambda one, other: _joined(one, other, version.text), sides, ())


def _counts(entry: HistoryEntry, history: History) -> bool:
    """Return whether a promotion or rollback against the last release wrote this version."""
    if not history:
        return True
    release, blobs = entry.release, _blobs(history)
    supersedes_last = release and release.spec.supersedes == history[-1].release_id
    return bool(supersedes_last) and entry.version.blob not in blobs


def _joined(one: History, other: History, text: str | None) -> History:
    """Return the history of a merge of two sides, which left this text: the longer one.

    Where each side moved on, the side that rolled back counts, else the side with this text.
    """
    pairs = zip(_blobs(one), _blobs(other), strict=False)
    shared = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
    if shared in (len(one), len(other)):
        return max(one, other, key=len)

    def weight(side: History) -> tuple[bool, bool]:
        is_rolled_back = any(entry.is_rollback for entry in side[shared:])
        return is_rolled_back, side[-1].version.text == text

    return max(one, other, key=weight)


def _blobs(history: History) -> list[str]:
    return [entry.version.blob for entry in history]
