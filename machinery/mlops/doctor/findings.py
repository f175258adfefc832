"""The result of checking one guard."""

from dataclasses import dataclass
from enum import StrEnum

from mlops.rules import Verdict


class State(StrEnum):
    """The state of a guard."""

    OK = "ok"
    # A choice of the owner, reported with its consequence.
    NOTE = "note"
    UNKNOWN = "unknown"
    BAD = "BAD"


@dataclass(frozen=True)
class GuardResult:
    """A guard, its state, what was observed and how to mend it."""

    guard: str
    state: State
    observed: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the result for JSON."""
        return {
            "guard": self.guard,
            "state": self.state,
            "found": self.observed,
            "remedy": self.remedy,
        }


def ok(guard: str, observed: str) -> GuardResult:
    """Return the result of a guard that works."""
    return GuardResult(guard, State.OK, observed)


def note(guard: str, observed: str, remedy: str = "") -> GuardResult:
    """Return a choice of the owner, with its consequence."""
    return GuardResult(guard, State.NOTE, observed, remedy)


def unknown(guard: str, observed: str, remedy: str) -> GuardResult:
    """Return the result of a guard that could not be checked."""
    return GuardResult(guard, State.UNKNOWN, observed, remedy)


def bad(guard: str, observed: str, remedy: str) -> GuardResult:
    """Return the result of a guard that is missing or would not work."""
    return GuardResult(guard, State.BAD, observed, remedy)


def verdict(results: list[GuardResult]) -> Verdict:
    """Return fail if a guard is bad, inconclusive if one is unknown, else pass."""
    states = {result.state for result in results}
    if State.BAD in states:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if State.UNKNOWN in states else Verdict.PASS
