"""environments/quarantine.yaml: the releases in quarantine, each with its reason."""

from mlops import git
from mlops.config.documents import NonEmpty, dump, parse_list
from mlops.errors import UserError
from mlops.paths import ENVIRONMENTS
from mlops.releases.release import Moment, Part, ReleaseId

QUARANTINE = ENVIRONMENTS / "quarantine.yaml"


class Entry(Part):
    """One release in quarantine."""

    release_id: ReleaseId
    reason: NonEmpty
    at: Moment


Entries = tuple[Entry, ...]


def parse_entries(text: str) -> Entries:
    """Read the file's content; a file of comments only, as at first, is an empty list."""
    return parse_list(text, str(QUARANTINE), Entry)


def entries(commit: str = "HEAD") -> Entries:
    """Return the entries at a commit; raises UserError if the file is broken."""
    return parse_entries(git.show(commit, QUARANTINE) or "")


def entry_of(release_id: str, listed: Entries) -> Entry | None:
    """Return the entry of a release, None if it is not in quarantine."""
    return next((entry for entry in listed if entry.release_id == release_id), None)


def with_entry(text: str, entry: Entry) -> str:
    """Return the file's content with one entry more; the text of people stays as it is."""
    if entry_of(entry.release_id, parse_entries(text)):
        return text
    gap = "" if not text or text.endswith("\n") else "\n"
    longer = text + dump([entry.model_dump(mode="json", by_alias=True)], gap)
    try:
        parse_entries(longer)
    except UserError as error:
        raise UserError(
            f"{QUARANTINE} cannot take another entry: {error} "
            "Write it as a plain list, each entry beginning with `- ` at the start of a line."
        ) from None
    return longer
