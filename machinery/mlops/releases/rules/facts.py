"""The facts that the promotion rules judge; releases/gather.py reads them from git."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlops.releases.history import HistoryEntry
from mlops.releases.policy import Policy
from mlops.releases.quarantine import Entries
from mlops.releases.release import Release, release_file
from mlops.releases.rules.rule import Refusal


@dataclass(frozen=True)
class Base:
    """The branch that a pull request is merged into."""

    commit: str
    release_id: str | None  # the release that the environment holds there
    quarantine: Entries


@dataclass(frozen=True)
class Facts:  # pylint: disable=too-many-instance-attributes # one for each fact
    """A release in an environment, or on its way into one."""

    environment: str
    release: Release
    policy: Policy
    now: datetime
    # When the promotion was merged; None: now.
    merged_at: datetime | None = None
    # Files of the environment and the catalogue that differ from HEAD.
    uncommitted: tuple[str, ...] = ()
    catalogue_entry: Release | None = None
    catalogue_ids: tuple[str, ...] = ()
    quarantine: Entries = ()
    # The environment's release file in HEAD, and its promotions and rollbacks, newest first.
    file_text: str | None = None
    history: tuple[HistoryEntry, ...] = ()
    # The release that this one replaces, and the one that runs now.
    previous_id: str | None = None
    live_id: str | None = None
    # The commit whose history counts: HEAD, or the base of a pull request.
    trunk: str = "HEAD"
    # The release that the environment in `promotedFrom` held at the commit given there, if that
    # commit is part of this history.
    origin_id: str | None = None
    # The commits of the release outside this history, each with its description.
    missing_commits: tuple[tuple[str, str], ...] = ()
    base: Base | None = None
    # Files of evidence here that the release's evidence is not from.
    contradicting: tuple[str, ...] = ()
    store_name: str = ""
    is_bundle_stored: bool = True
    # Refusals of signing.check.check_signature, which needs the store and cryptography.
    signature: tuple[Refusal, ...] = ()

    @property
    def file(self) -> Path:
        """The environment's release file."""
        return release_file(self.environment)

    @property
    def is_rollback(self) -> bool:
        """Whether the release has the mark of a rollback."""
        return self.release.spec.rollback is not None
