"""Models trained the way the gate's candidates are, and their scores on later partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlops.console import say
from mlops.errors import UserError
from mlops.files import canonical, digest, digest_file, new_folder
from mlops.paths import BUILD
from mlops.training import contract

FOLDER = BUILD / "study"


@dataclass(frozen=True)
class Recipe:
    """What a model is trained from: partitions, a seed, and rows as they come or reordered."""

    partitions: tuple[str, ...]
    seed: int = 0
    reordered: bool = False


@dataclass(frozen=True)
class Judged:
    """Rows of some partitions: targets (rows,), a group a row or None, and scores by name."""

    target: np.ndarray
    cluster: np.ndarray | None
    scores: dict[str, np.ndarray]


class Scores:
    """Scores of recipes on partitions, kept below build/study by what they were made from."""

    def __init__(self) -> None:
        """Read params.yaml and the team's code; raises UserError with fewer than 4 partitions."""
        self._params = contract.params()
        self._columns = contract.columns(self._params.gate.cluster)
        self.partitions = list(contract.team_data().partitions())
        if len(self.partitions) < 4:
            raise UserError(
                f"The study needs 4 partitions or more, data/ has {len(self.partitions)}: some to "
                "train on, and several to judge on."
            )
        self._prints = contract.load(self.partitions).fingerprints
        code = {str(path): digest_file(path) for path in sorted(Path("model").rglob("*.py"))}
        self._made_with = {"code": code, "model": self._params.model.model_dump()}

    def judged(self, partitions: Sequence[str], recipes: dict[str, Recipe]) -> Judged:
        """Return the rows of partitions with the scores of models of these recipes."""
        columns, rows = self._columns, contract.load(partitions).frame
        return Judged(
            target=rows[columns.target].to_numpy(),
            cluster=None if columns.cluster is None else rows[columns.cluster].to_numpy(),
            scores={
                name: np.concatenate([np.load(self._place(recipe, p)) for p in partitions])
                for name, recipe in recipes.items()
            },
        )

    def make(self, wanted: dict[Recipe, Sequence[str]]) -> None:
        """Train every recipe whose scores on the partitions wanted of it are not kept yet."""
        for recipe, partitions in wanted.items():
            missing = [p for p in partitions if not self._place(recipe, p).exists()]
            if missing:
                self._make(recipe, missing)

    def _make(self, recipe: Recipe, partitions: Sequence[str]) -> None:
        how = f"seed {recipe.seed}" + (", rows reordered" if recipe.reordered else "")
        span = f"{recipe.partitions[0]} to {recipe.partitions[-1]}"
        say("study", f"training on {span} ({how})")
        model = self._train(recipe)
        for name in partitions:
            rows = contract.load([name]).frame
            scores = contract.predict(model, rows[list(self._columns.features)])
            with new_folder(self._place(recipe, name).parent) as folder:
                np.save(folder / "scores.npy", scores)

    def _train(self, recipe: Recipe):
        rows, settings = contract.load(recipe.partitions).frame, self._params.train
        if recipe.reordered:
            rows = rows.sample(frac=1, random_state=recipe.seed, ignore_index=True)
        return contract.team_model().train(
            rows[list(self._columns.features)],
            rows[self._columns.target].to_numpy(),
            self._params.model,
            device=settings.device,
            threads=settings.threads,
            seed=recipe.seed,
        )

    def _place(self, recipe: Recipe, partition: str) -> Path:
        names = (*recipe.partitions, partition)
        made_from = {
            **self._made_with,
            "data": [self._prints[name] for name in names],
            "seed": recipe.seed,
            "reordered": recipe.reordered,
        }
        return FOLDER / digest(canonical(made_from)).removeprefix("sha256:") / "scores.npy"
