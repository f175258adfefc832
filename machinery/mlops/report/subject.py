"""The subject of a report, and the phrases that several of its sections share."""

from dataclasses import dataclass
from typing import Any

from mlops import rules
from mlops.config.params import GateParams
from mlops.gate.champion import NOT_WORSE
from mlops.gate.metrics import BOUND, CONSTANT
from mlops.report.tree import Code, Piece, names
from mlops.rules import Finding, Rule, Verdict
from mlops.training.record import Record

# The rules that a metric fails by its value, rather than by being undefined.
VALUE_RULES = (BOUND, CONSTANT, NOT_WORSE)


@dataclass(frozen=True)
class Judged:
    """An evaluated record, the findings of the rules, and the bounds they used."""

    record: Record
    findings: list[Finding]
    gate: GateParams

    @property
    def evaluation(self) -> dict[str, Any]:
        """The evaluation in the record."""
        return self.record["evaluation"]

    @property
    def champion(self) -> dict[str, Any] | None:
        """The champion, where it could be scored on the same rows."""
        champion = self.evaluation["champion"]
        return None if champion is None or champion["error"] else champion

    @property
    def metrics(self) -> list[tuple[str, dict[str, Any]]]:
        """The metrics with their values, those first that the gate judges."""
        measured = self.evaluation["metrics"].items()
        return sorted(measured, key=lambda metric: self.verdict_on(metric[0]) is None)

    def verdict_on(self, metric: str, judging: tuple[Rule, ...] = VALUE_RULES) -> Verdict | None:
        """Return the worst verdict of these rules on a metric; None if none of them judged it."""
        ids = {rule.id for rule in judging}
        findings = [f for f in self.findings if f.rule in ids and f.subject == metric]
        return rules.worst(findings) if findings else None


def span(partitions: list[str]) -> tuple[Piece, ...]:
    """Return ordered partitions as the first, the last and their number."""
    if len(partitions) < 3:
        return names(partitions)
    ends = Code(partitions[0]), " to ", Code(partitions[-1])
    return (*ends, f", {len(partitions):,} partitions")


def device(record: Record) -> str:
    """Return the device a model was trained on, and the requested one where that differs."""
    requested, effective = (record["training"]["device"][key] for key in ("wanted", "effective"))
    kind = {"gpu": "cuda"}.get(requested, requested)
    granted = kind == "auto" or effective.startswith(kind)
    return effective if granted else f"{effective} ({requested} requested)"


def short(digest: str) -> str:
    """Return the beginning of a digest, enough to distinguish models."""
    return digest[: len("sha256:") + 12]


def count(items: list[Any], noun: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{len(items):,} {noun}{'' if len(items) == 1 else 's'}"
