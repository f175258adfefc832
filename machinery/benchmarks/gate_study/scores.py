"""Models trained like the gate's candidates, and their scores on later partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlops.console import say
from mlops.errors import UserError
from mlops.files import canonical, digest, digest_file, new_folder
from mlops.paths import BUILD
from mlops.training import calls, contract, partitions

FOLDER = BUILD / "study"


@dataclass(frozen=True)
class Recipe:
    """The inputs of a training: partitions, a seed, and whether the rows are reordered."""

    partitions: tuple[str, ...]
    seed: int = 0
    reordered: bool = False


@dataclass(frozen=True)
class RecipeScores:
    """Rows of partitions: targets (rows,), groups (rows,) or None, and the scores by recipe."""

    target: np.ndarray
    cluster: np.ndarray | None
    scores: dict[str, np.ndarray]


class Scores:
    """Scores of recipes on partitions, cached below build/study by a digest of their inputs."""

    def __init__(self) -> None:
        """Read params.yaml and the team's code; raises UserError with fewer than 4 partitions."""
        self._params = contract.params()
        self._columns = contract.columns(self._params.gate.cluster)
        self.partitions = list(contract.team_data().partitions())
        if len(self.partitions) < 4:
            raise UserError(
                f"The study needs at least 4 partitions, data/ has {len(self.partitions)}. Add "
                "partitions."
            )
        self._fingerprints = partitions.load(self.partitions).fingerprints
        code = {str(path): digest_file(path) for path in sorted(Path("model").rglob("*.py"))}
        self._inputs = {"code": code, "model": self._params.model.model_dump()}

    def load(self, partitions: Sequence[str], recipes: dict[str, Recipe]) -> RecipeScores:
        """Return the rows of partitions with the cached scores of these recipes."""
        columns, rows = self._columns, partitions.load(partitions).frame
        return RecipeScores(
            target=partitions.target(rows, columns),
            cluster=None if columns.cluster is None else rows[columns.cluster].to_numpy(),
            scores={
                name: np.concatenate([np.load(self._path(recipe, p)) for p in partitions])
                for name, recipe in recipes.items()
            },
        )

    def compute(self, needed: dict[Recipe, Sequence[str]]) -> None:
        """Train the recipes whose scores on the needed partitions are not cached yet."""
        for recipe, partitions in needed.items():
            missing = [p for p in partitions if not self._path(recipe, p).exists()]
            if missing:
                self._compute(recipe, missing)

    def _compute(self, recipe: Recipe, partitions: Sequence[str]) -> None:
        settings = f"seed {recipe.seed}" + (", rows reordered" if recipe.reordered else "")
        span = f"{recipe.partitions[0]} to {recipe.partitions[-1]}"
        say("study", f"training on {span} ({settings})")
        model = self._train(recipe)
        for name in partitions:
            rows = partitions.load([name]).frame
            scores = calls.predict(model, rows[list(self._columns.features)])
            with new_folder(self._path(recipe, name).parent) as folder:
                np.save(folder / "scores.npy", scores)

    def _train(self, recipe: Recipe):
        rows, settings = partitions.load(recipe.partitions).frame, self._params.train
        if recipe.reordered:
            rows = rows.sample(frac=1, random_state=recipe.seed, ignore_index=True)
        return contract.team_model().train(
            rows[list(self._columns.features)],
            partitions.target(rows, self._columns),
            self._params.model,
            device=settings.device,
            threads=settings.threads,
            seed=recipe.seed,
        )

    def _path(self, recipe: Recipe, partition: str) -> Path:
        names = (*recipe.partitions, partition)
        inputs = {
            **self._inputs,
            "data": [self._fingerprints[name] for name in names],
            "seed": recipe.seed,
            "reordered": recipe.reordered,
        }
        return FOLDER / digest(canonical(inputs)).removeprefix("sha256:") / "scores.npy"
