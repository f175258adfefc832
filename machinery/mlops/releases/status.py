"""What every environment should run and what it does run; what is broken is told, not raised."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from mlops.errors import Refused, UserError
from mlops.releases import environments, quarantine
from mlops.releases.environment_history import check_place, holdings
from mlops.releases.environments import Environment
from mlops.releases.policy import BUILD
from mlops.releases.release import Release, read_release


@dataclass
class Row:  # pylint: disable=too-many-instance-attributes # one for each thing to look at
    """One environment at a glance."""

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
        """Whether what should run is what runs."""
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


def rows(only: str | None = None) -> list[Row]:
    """Look at all environments, or at one; raises UserError when there is none of this name."""
    if only and only not in environments.folders():
        environments.environment(only)
    try:
        known = environments.names()
    except UserError:
        # Each row says for itself what is wrong.
        known = environments.folders()
    return [_row(name) for name in known if only in (None, name)]


def _row(name: str) -> Row:
    row = Row(name)

    def look() -> None:
        """Fill in what can be told; what is broken in one part leaves the other."""
        environment = environments.read(name)
        _attempt(row, lambda: _desired(row, environment))
        _attempt(row, lambda: _live(row, environment))

    _attempt(row, look)
    return row


def _attempt(row: Row, look: Callable[[], None]) -> None:
    try:
        look()
    except (UserError, Refused, OSError) as error:
        row.broken.append(str(error))


def _desired(row: Row, environment: Environment) -> None:
    release = environment.release
    row.broken += map(str, check_place(environment.name, holdings(environment.name)))
    if release is None:
        return
    spec = release.spec
    row.desired = release.release_id
    row.since = spec.promoted_from and spec.promoted_from.at
    row.rollback = spec.rollback and spec.rollback.reason
    row.evidence = [f"{proof.kind} {proof.verdict}" for proof in spec.evidence]
    row.behind = _behind(environment.policy.origin, release)
    row.quarantined = quarantine.entry_of(release.release_id, quarantine.entries()) is not None


def _live(row: Row, environment: Environment) -> None:
    # Imported here: a target may bring libraries that nothing else of this needs.
    from mlops.targets import target_of

    live = target_of(environment).live(environment)
    if live:
        row.live, row.url = live.release_id, live.url


def _behind(origin: str, release: Release) -> int:
    """Count the releases that came to the environment before since it held this one."""
    if origin == BUILD:
        built = read_release()
        return int(built is not None and built.release_id != release.release_id)
    newer: set[str | None] = set()
    for held in holdings(origin):
        if held.release_id == release.release_id:
            break
        newer.add(held.release_id)
    return len(newer - {None})
