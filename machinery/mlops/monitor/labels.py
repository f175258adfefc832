"""Labels that arrive later: files with an id and an outcome, joined to predictions by id."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

COLUMNS = ("id", "outcome")
WORDS = {"true": 1.0, "false": 0.0}
KINDS = (".csv", ".parquet")


@dataclass
class Labels:
    """The outcomes known, by prediction id, and what could not be used."""

    files: list[str] = field(default_factory=list)
    outcomes: dict[str, float] = field(default_factory=dict)
    unusable: int = 0
    conflicting: int = 0
    example: str | None = None

    def tell(self, example: str) -> None:
        """Keep the first example of what could not be used."""
        self.example = self.example or example

    def as_dict(self) -> dict[str, Any]:
        """Return what was read, without the outcomes."""
        return {
            "files": self.files,
            "outcomes": len(self.outcomes),
            "unusable": self.unusable,
            "conflicting": self.conflicting,
            "example": self.example,
        }


def find_labels(folder: Path) -> list[Path]:
    """Return the files of labels in a folder, if there is one."""
    return sorted(path for path in folder.glob("*") if path.suffix in KINDS)


def read_labels(paths: list[Path], allowed: set[float] | None) -> Labels:
    """Read labels; `allowed` are the outcomes there can be, None for any number.

    An id with two different outcomes has none. Raises UserError for a file that is none of labels.
    """
    labels, conflicts = Labels(), set()
    for path in paths:
        labels.files.append(path.name)
        frame = _read(path)
        outcomes = _numbers(frame["outcome"])
        usable = outcomes.notna() & frame["id"].notna()
        if allowed is not None:
            usable &= outcomes.isin(allowed)
        if not usable.all():
            labels.unusable += int((~usable).sum())
            row = int((~usable).to_numpy().argmax())
            labels.tell(f"{path.name}, row {row + 1}: outcome {frame['outcome'].iloc[row]!r}")
        for identity, outcome in zip(frame["id"][usable].astype(str), outcomes[usable]):
            if labels.outcomes.setdefault(identity, outcome) != outcome:
                conflicts.add(identity)
                labels.tell(f"{path.name}: {identity} has two different outcomes")
    labels.conflicting = len(conflicts)
    for identity in conflicts:
        del labels.outcomes[identity]
    return labels


def _read(path: Path) -> "DataFrame":
    import pandas as pd

    if path.suffix not in KINDS:
        raise UserError(f"{path}: labels are a file {' or '.join(KINDS)}, with an id and outcome.")
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, skipinitialspace=True)
        else:
            frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: no labels there.") from None
    # Damaged files fail in many ways: ParserError, UnicodeDecodeError, ArrowInvalid among them.
    except Exception as error:  # pylint: disable=broad-except
        raise UserError(f"{path} cannot be read: {error}") from None
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise UserError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has "
            f"{', '.join(map(str, frame.columns)) or 'none'}. Labels need the columns id (of the "
            "prediction, as the service answered it) and outcome."
        )
    return frame


def _numbers(outcomes: "Series") -> "Series":
    """Return outcomes as numbers; true and false are 1 and 0, anything else is missing."""
    import numpy as np
    import pandas as pd

    text = outcomes.map(lambda value: WORDS.get(str(value).strip().lower(), value))
    return pd.to_numeric(text, errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)
