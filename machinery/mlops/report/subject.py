"""What a report is about, and the few phrases that several of its sections use."""

from dataclasses import dataclass
from typing import Any

from mlops import rules
from mlops.config.params import GateParams
from mlops.report.tree import Code, Piece, names
from mlops.rules import BOUND, CONSTANT, NOT_WORSE, Finding, Rule, Verdict
from mlops.training.record import Record

# What a metric can fail by being too bad, rather than by being no number.
JUDGING = (BOUND, CONSTANT, NOT_WORSE)


@dataclass(frozen=True)
class Judged:
    """A record that was evaluated, what the rules found, and the numbers they went by."""

    record: Record
    findings: list[Finding]
    gate: GateParams

    @property
    def evaluation(self) -> dict[str, Any]:
        """What `evaluate` measured."""
        return self.record["evaluation"]

    @property
    def champion(self) -> dict[str, Any] | None:
        """The champion, where it could be scored on the same rows."""
        champion = self.evaluation["champion"]
        return None if champion is None or champion["error"] else champion

    @property
    def metrics(self) -> list[tuple[str, dict[str, Any]]]:
        """The metrics by name with what was measured, those first that the gate goes by."""
        measured = self.evaluation["metrics"].items()
        return sorted(measured, key=lambda metric: self.said(metric[0]) is None)

    def said(self, metric: str, asked: tuple[Rule, ...] = JUDGING) -> Verdict | None:
        """Return what these rules said of a metric, the worst of it; None if they did not ask."""
        ids = {rule.id for rule in asked}
        found = [f for f in self.findings if f.rule in ids and f.subject == metric]
        return rules.worst(found) if found else None


def span(partitions: list[str]) -> tuple[Piece, ...]:
    """Return partitions, which are in order, as the first, the last and how many they are."""
    if len(partitions) < 3:
        return names(partitions)
    ends = Code(partitions[0]), " to ", Code(partitions[-1])
    return (*ends, f", {len(partitions):,} partitions")


def device(record: Record) -> str:
    """Return what a model was trained on, and what was asked for where that differs."""
    wanted, effective = (record["training"]["device"][key] for key in ("wanted", "effective"))
    kind = {"gpu": "cuda"}.get(wanted, wanted)
    met = kind == "auto" or effective.startswith(kind)
    return effective if met else f"{effective} ({wanted} asked for)"


def short(digest: str) -> str:
    """Return the beginning of a digest, enough to tell models apart."""
    return digest[: len("sha256:") + 12]


def count(items: list[Any], noun: str) -> str:
    """Return how many things there are, in words: `1 file`, `2 files`."""
    return f"{len(items):,} {noun}{'' if len(items) == 1 else 's'}"
