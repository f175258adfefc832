"""The releases that an environment has held, read from the commits of its release file."""

from mlops import git
from mlops.errors import Refused
from mlops.releases.history import HistoryEntry, versions
from mlops.releases.release import Release, release_file
from mlops.releases.rules.integrity import parse_sealed


def release_at(commit: str, environment: str) -> Release | None:
    """Return the release an environment held at a commit; Refused if its file was broken."""
    file = release_file(environment)
    return parse_sealed(git.show(commit, file), file)


def release_history(environment: str) -> list[HistoryEntry]:
    """Return the versions that promotions and rollbacks wrote, newest first.

    A version counts if it supersedes the one before it and is new: edits by hand, reverts by git
    and files computed against another release do not count.
    """
    file, history, blobs = release_file(environment), [], set()
    for version in reversed(versions(file)):
        try:
            entry = HistoryEntry(version, parse_sealed(version.text, file))
        except Refused:
            continue
        if not history or (version.blob not in blobs and _follows(entry, history[-1])):
            history.append(entry)
            blobs.add(version.blob)
    return history[::-1]


def _follows(entry: HistoryEntry, before: HistoryEntry) -> bool:
    return entry.release is not None and entry.release.spec.supersedes == before.release_id
