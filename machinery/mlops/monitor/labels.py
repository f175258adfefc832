"""Labels, which arrive later: files with an id and an outcome, joined to predictions by id.

A model of several outputs has a column of outcomes for each, named after it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.errors import UserError
from mlops.serving.answer import CLASSES, OUTPUTS, Answer

if TYPE_CHECKING:
    from pandas import DataFrame, Series

ID, OUTCOME = "id", "outcome"
BOOLEANS = {"true": 1.0, "false": 0.0}
SUFFIXES = (".csv", ".parquet")


@dataclass
class Labels:
    """The outcomes by prediction id, and the number of labels that cannot be used."""

    files: list[str] = field(default_factory=list)
    # a number, a class's position, or a number for each output
    outcomes: dict[str, float | tuple[float, ...]] = field(default_factory=dict)
    unusable: int = 0
    conflicting: int = 0
    example: str | None = None

    def add_example(self, example: str) -> None:
        """Record an example of a label that cannot be used; only the first is kept."""
        self.example = self.example or example

    def as_dict(self) -> dict[str, Any]:
        """Return the files and the counts, without the outcomes."""
        return {
            "files": self.files,
            "outcomes": len(self.outcomes),
            "unusable": self.unusable,
            "conflicting": self.conflicting,
            "example": self.example,
        }


def find_labels(folder: Path) -> list[Path]:
    """Return the label files in a folder; none if the folder does not exist."""
    return sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)


def read_labels(paths: list[Path], allowed: set[float] | None, answer: Answer = Answer()) -> Labels:
    """Read labels; `allowed` are the possible outcomes, None for any number.

    The outcome of classes is the name of one. An id with two different outcomes is dropped. Raises
    UserError for a file without labels.
    """
    labels, conflicts = Labels(), set()
    for path in paths:
        labels.files.append(path.name)
        columns = answer.names if answer.kind == OUTPUTS else (OUTCOME,)
        frame = _read(path, columns)
        outcomes = frame[list(columns)].apply(
            _positions(answer) if answer.kind == CLASSES else _numbers
        )
        usable = outcomes.notna().all(axis=1) & frame[ID].notna()
        if allowed is not None:
            usable &= outcomes[OUTCOME].isin(allowed)
        if not usable.all():
            labels.unusable += int((~usable).sum())
            row = int((~usable).to_numpy().argmax())
            values = ", ".join(f"{name} {frame[name].iloc[row]!r}" for name in columns)
            labels.add_example(f"{path.name}, row {row + 1}: {values}")
        for identity, outcome in zip(frame[ID][usable].astype(str), _plain(outcomes[usable])):
            if labels.outcomes.setdefault(identity, outcome) != outcome:
                conflicts.add(identity)
                labels.add_example(f"{path.name}: {identity} has two different outcomes")
    labels.conflicting = len(conflicts)
    for identity in conflicts:
        del labels.outcomes[identity]
    return labels


def _plain(outcomes: "DataFrame") -> list[Any]:
    """Return the outcome of each row: a number, or a tuple of them."""
    if len(outcomes.columns) > 1:
        return list(outcomes.itertuples(index=False, name=None))
    return outcomes.iloc[:, 0].tolist()


def _read(path: Path, columns: Sequence[str]) -> "DataFrame":
    import pandas as pd

    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: a file of labels ends in {' or '.join(SUFFIXES)}.")
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, skipinitialspace=True)
        else:
            frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Name an existing file or folder.") from None
    # Damaged files fail in many ways: ParserError, UnicodeDecodeError, ArrowInvalid among them.
    except Exception as error:  # pylint: disable=broad-except
        raise UserError(f"{path} cannot be read: {error}") from None
    missing = [name for name in (ID, *columns) if name not in frame.columns]
    if missing:
        raise UserError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has "
            f"{', '.join(map(str, frame.columns)) or 'none'}. Labels need the columns id (of the "
            f"prediction, as the service answered it) and {', '.join(columns)}."
        )
    return frame


def _positions(answer: Answer) -> "Callable[[Series], Series]":
    """Return what turns the names of classes into their positions; other names are missing."""
    positions = {name: float(position) for position, name in enumerate(answer.names)}
    return lambda names: names.map(lambda name: positions.get(str(name).strip()))


def _numbers(outcomes: "Series") -> "Series":
    """Return outcomes as numbers; true and false are 1 and 0, anything else is missing."""
    import numpy as np
    import pandas as pd

    text = outcomes.map(lambda value: BOOLEANS.get(str(value).strip().lower(), value))
    return pd.to_numeric(text, errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)
