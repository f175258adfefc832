"""environments/quarantine.yaml: the releases in quarantine, each with its reason.

A merge takes no release out of quarantine, however it resolves the file; an ordinary commit does.
"""

from dataclasses import dataclass, field

from mlops import git
from mlops.config.documents import NonEmpty, dump, parse_list
from mlops.errors import UserError
from mlops.paths import ENVIRONMENTS
from mlops.releases.history import FileVersion, merges, versions
from mlops.releases.release import (
    Digest,
    Moment,
    Part,
    ReleaseId,
    catalogue_path,
    parse_release,
)

QUARANTINE = ENVIRONMENTS / "quarantine.yaml"


class Entry(Part):
    """One release in quarantine."""

    release_id: ReleaseId
    reason: NonEmpty
    at: Moment
    # Of the release. An entry from before 1.1.0 has none: the catalogue has it.
    model_digest: Digest | None = None
    # Set by people where the model was not the cause: other releases of this model may come.
    model_may_return: bool = False


Entries = tuple[Entry, ...]


def parse_entries(text: str) -> Entries:
    """Read the file's content; a file of comments only, as at first, is an empty list."""
    return parse_list(text, str(QUARANTINE), Entry)


def entries(commit: str = "HEAD") -> Entries:
    """Return the entries that count at a commit; raises UserError if the file is broken.

    These are the file's, and those that only a merge dropped from it.
    """
    own = listed(commit)
    ids = {entry.release_id for entry in own}
    return own + tuple(entry for entry in _kept(commit) if entry.release_id not in ids)


def listed(commit: str) -> Entries:
    """Return the entries in the file at a commit; raises UserError if it is broken."""
    return parse_entries(git.show(commit, QUARANTINE) or "")


def lifted(before: str, after: str) -> list[str]:
    """Return the releases whose entries at one commit are gone or concern less at another.

    Raises UserError if the file is broken at the later one.
    """
    later = {entry.release_id: entry for entry in listed(after)}
    try:
        entries_before = listed(before)
    except UserError:
        return ["entries that cannot be read"]
    return [
        entry.release_id
        for entry in entries_before
        if not (now := later.get(entry.release_id))
        or (now.model_digest, now.model_may_return) != (entry.model_digest, entry.model_may_return)
    ]


def with_models(among: Entries, commit: str) -> Entries:
    """Return the entries, each with the digest of its model if the catalogue at a commit has it."""
    return tuple(
        entry if entry.model_digest else entry.model_copy(update={"model_digest": digest})
        for entry in among
        for digest in [entry.model_digest or _catalogued(entry.release_id, commit)]
    )


def _catalogued(release_id: str, commit: str) -> str | None:
    path = catalogue_path(release_id)
    text = git.show(commit, path)
    release = None if text is None else parse_release(text, str(path))
    return release and release.promoted.model.digest


@dataclass
class _State:
    """The entries that commits added, by release and commit, and those that commits removed."""

    listed: Entries = ()
    added: dict[tuple[str, str], Entry] = field(default_factory=dict)
    removed: set[tuple[str, str]] = field(default_factory=set)

    @property
    def counting(self) -> dict[str, Entry]:
        """The entries that were added and not removed, by release."""
        return {key[0]: entry for key, entry in self.added.items() if key not in self.removed}


def _kept(commit: str) -> Entries:
    """Return the entries at a commit that no ordinary commit removed; none without a merge."""
    history = versions(QUARANTINE, commit)
    merged = merges(version.commit for version in history)
    if not merged:
        return ()
    states: dict[str, _State] = {}
    for version in reversed(history):
        sides = [states[parent] for parent in version.parents]
        states[version.commit] = _state(version, sides, version.commit in merged)
    text = "{} A merge dropped this entry from {}: add it again before you remove it."
    return tuple(
        entry.model_copy(update={"reason": text.format(entry.reason, QUARANTINE)})
        for entry in states[history[0].commit].counting.values()
    )


def _state(version: FileVersion, sides: list[_State], is_merge: bool) -> _State:
    """Return the entries after a commit, from those of the versions before it."""
    state = _State(listed=sides[0].listed if sides else ())
    for side in sides:
        state.added |= side.added
        state.removed |= side.removed
    try:
        now = parse_entries(version.text or "")
    except UserError:
        # Broken text removes nothing.
        return state
    ids = {entry.release_id for entry in now}
    if not is_merge:
        gone = {entry.release_id for entry in state.listed} - ids
        state.removed |= {key for key in state.added if key[0] in gone}
    counting = state.counting
    new = [entry for entry in now if entry.release_id not in counting]
    state.added |= {(entry.release_id, version.commit): entry for entry in new}
    state.listed = now
    return state


def entry_of(release_id: str, among: Entries) -> Entry | None:
    """Return the entry of a release, None if it is not in quarantine."""
    return next((entry for entry in among if entry.release_id == release_id), None)


def with_entry(text: str, entry: Entry) -> str:
    """Return the file's content with one entry more; the text of people stays as it is."""
    if entry_of(entry.release_id, parse_entries(text)):
        return text
    gap = "" if not text or text.endswith("\n") else "\n"
    plain = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    longer = text + dump([plain], gap)
    try:
        parse_entries(longer)
    except UserError as error:
        raise UserError(
            f"{QUARANTINE} cannot take another entry: {error} "
            "Write it as a plain list, each entry beginning with `- ` at the start of a line."
        ) from None
    return longer
