"""What a model answers for a row: one number, or several with a name each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# One number; the probability of each class; a number a target column; quantiles of one target.
NUMBER, CLASSES, OUTPUTS, QUANTILES = KINDS = ("number", "classes", "outputs", "quantiles")


@dataclass(frozen=True)
class Answer:
    """The kind of an answer, and the names of its numbers; one number has no name."""

    kind: str = NUMBER
    names: tuple[str, ...] = ()

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Answer":
        """Return the answer that a training record describes; without a description, one number."""
        recorded = record.get("answer")
        return cls(recorded["kind"], tuple(recorded["names"])) if recorded else cls()

    def recorded(self) -> dict[str, Any]:
        """Return the description for a training record, nothing for one number."""
        return {"answer": {"kind": self.kind, "names": list(self.names)}} if self.names else {}

    def shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of the scores of so many rows."""
        return (rows, len(self.names)) if self.names else (rows,)

    def described(self) -> str:
        """Return the answer as a phrase: `one number`, `3 classes (a, b, c)`."""
        if not self.names:
            return "one number"
        return f"{len(self.names)} {self.kind} ({', '.join(self.names)})"

    def prediction(self, score: Any) -> dict[str, Any]:
        """Return the part of a prediction that holds a row's score or scores."""
        if not self.names:
            return {"score": score}
        scores = dict(zip(self.names, score, strict=True))
        if self.kind == CLASSES:
            return {"class": max(scores, key=scores.get), "scores": scores}
        return {"scores": scores}


def scores_of(prediction: Mapping[str, Any]) -> Sequence[float]:
    """Return the numbers of a prediction in their order; raises KeyError if it has none."""
    return [*prediction["scores"].values()] if "scores" in prediction else [prediction["score"]]
