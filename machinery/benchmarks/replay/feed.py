"""The data as they arrive: one partition is bad until the gate refuses it."""

from typing import TYPE_CHECKING

from mlops.files import digest
from mlops.training import contract

if TYPE_CHECKING:
    from pandas import DataFrame

PLANTED = "its labels arrive inverted: 1 where the outcome is 0"


class Feed:
    """Replaces the team's `load` and inverts the labels of the partition `bad`."""

    def __init__(self, bad: str) -> None:
        """Make all steps in this process load data from this feed."""
        self.bad = bad
        # Whether the bad partition was corrected, in the world that is simulated now.
        self.corrected = False
        self._loaded: dict[str, tuple[DataFrame, str]] = {}
        data = contract.team_data()
        self._original, data.load = data.load, self.load

    def load(self, name: str) -> "tuple[DataFrame, str]":
        """Return the team's rows, with labels inverted in the bad partition until corrected."""
        if name not in self._loaded:
            self._loaded[name] = self._original(name)
        frame, fingerprint = self._loaded[name]
        if name != self.bad or self.corrected:
            return frame, fingerprint
        target = contract.team_data().TARGET
        inverted = frame.assign(
            **{target: frame[target].max() + frame[target].min() - frame[target]}
        )
        inverted[target] = inverted[target].astype(frame[target].dtype)
        return inverted, digest(f"{fingerprint} {PLANTED}".encode())

    def truth(self, name: str) -> "DataFrame":
        """Return the rows of a partition with correct labels."""
        if name not in self._loaded:
            self._loaded[name] = self._original(name)
        return self._loaded[name][0]
