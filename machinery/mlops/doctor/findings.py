"""What the doctor finds about one guard."""

from dataclasses import asdict, dataclass
from enum import StrEnum

from mlops.rules import Verdict


class State(StrEnum):
    """Whether a guard would bite."""

    OK = "ok"
    # Chosen, and told with what follows from it.
    NOTE = "note"
    UNKNOWN = "unknown"
    BAD = "BAD"


@dataclass(frozen=True)
class Finding:
    """A guard, whether it would bite, what was found and what to do about it."""

    guard: str
    state: State
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)


def ok(guard: str, found: str) -> Finding:
    """A guard that is there."""
    return Finding(guard, State.OK, found)


def note(guard: str, found: str, remedy: str = "") -> Finding:
    """Something that is as somebody chose; the consequence is told."""
    return Finding(guard, State.NOTE, found, remedy)


def unknown(guard: str, found: str, remedy: str) -> Finding:
    """A guard that could not be looked at."""
    return Finding(guard, State.UNKNOWN, found, remedy)


def bad(guard: str, found: str, remedy: str) -> Finding:
    """A guard that is not there, or would not bite."""
    return Finding(guard, State.BAD, found, remedy)


def verdict(findings: list[Finding]) -> Verdict:
    """Return fail with a guard missing, inconclusive with one unseen, else pass."""
    states = {finding.state for finding in findings}
    if State.BAD in states:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if State.UNKNOWN in states else Verdict.PASS
