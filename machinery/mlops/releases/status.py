"""The state of each environment: its release and what runs. Errors become part of the state."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from mlops import git
from mlops.errors import Refused, UserError
from mlops.releases import environments, quarantine
from mlops.releases.environment_history import release_history
from mlops.releases.environments import Environment
from mlops.releases.policy import BUILD
from mlops.releases.release import Release, read_release
from mlops.releases.rules.order import refuse_hand_edit

# What an environment serves now: the id of the release and its address; None for nothing.
Served = Callable[[Environment], tuple[str, str] | None]


@dataclass
class Row:  # pylint: disable=too-many-instance-attributes # one for each column
    """One environment: its release, what it serves and what is broken."""

    environment: str
    desired: str | None = None
    since: datetime | None = None
    rollback: str | None = None
    live: str | None = None
    url: str | None = None
    evidence: list[str] = field(default_factory=list)
    behind: int | None = None
    quarantined: bool = False
    broken: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The state in a word or two."""
        if self.broken:
            return "broken"
        if self.quarantined:
            return "quarantined"
        if self.desired == self.live:
            return "live" if self.live else "none yet"
        return "not running" if self.live is None else "differs"

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values."""
        since = self.since and self.since.isoformat()
        return {**asdict(self), "since": since, "state": self.state}


def rows(served: Served, only: str | None = None) -> list[Row]:
    """Return the state of all environments, or of one; UserError if there is none of this name."""
    if only and only not in environments.folders():
        environments.environment(only)
    try:
        names = environments.names()
    except UserError:
        # Each row reports its own error.
        names = environments.folders()
    return [_row(name, served) for name in names if only in (None, name)]


def _row(name: str, served: Served) -> Row:
    row = Row(name)

    def fill() -> None:
        """Fill in both parts; an error in one leaves the other."""
        environment = environments.read(name)
        _attempt(row, lambda: _add_desired(row, environment))
        _attempt(row, lambda: _add_live(row, served(environment)))

    _attempt(row, fill)
    return row


def _attempt(row: Row, fill: Callable[[], None]) -> None:
    try:
        fill()
    except (UserError, Refused, OSError) as error:
        row.broken.append(str(error))


def _add_desired(row: Row, environment: Environment) -> None:
    release = environment.release
    text, history = git.show("HEAD", environment.file), release_history(environment.name)
    row.broken += map(str, refuse_hand_edit(environment.name, text, history))
    if release is None:
        return
    spec = release.spec
    row.desired = release.release_id
    row.since = spec.promoted_from and spec.promoted_from.at
    row.rollback = spec.rollback and spec.rollback.reason
    row.evidence = [f"{proof.kind} {proof.verdict}" for proof in spec.evidence]
    row.behind = _behind(environment.policy.origin, release)
    row.quarantined = quarantine.entry_of(release.release_id, quarantine.entries()) is not None


def _add_live(row: Row, live: tuple[str, str] | None) -> None:
    if live:
        row.live, row.url = live


def _behind(origin: str, release: Release) -> int:
    """Count the releases that `origin` took after this one."""
    if origin == BUILD:
        built = read_release()
        return int(built is not None and built.release_id != release.release_id)
    newer: set[str | None] = set()
    for entry in release_history(origin):
        if entry.release_id == release.release_id:
            break
        newer.add(entry.release_id)
    return len(newer - {None})
