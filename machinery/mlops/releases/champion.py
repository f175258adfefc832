"""The champion: production's model, which scores rows with its own code in its own process."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops import files
from mlops.errors import UserError, failure
from mlops.releases import bundle, environments
from mlops.releases.release import Release
from mlops.releases.store import Store
from mlops.training.record import Record

if TYPE_CHECKING:
    from numpy import ndarray
    from pandas import DataFrame

MINUTES = 10


@dataclass(frozen=True)
class Champion:
    """The release that a candidate is compared with."""

    release: Release

    def record(self, store: Store) -> Record:
        """Return the record in the bundle; UserError if the store has no bundle."""
        folder = bundle.fetch(store, self.release.spec.promoted.bundle.digest)
        return files.read_json(folder / "src" / "record.json", made_by="package")

    def score(self, rows: "DataFrame", store: Store) -> "ndarray":
        """Return the champion's scores (rows,) of a frame; UserError if its code fails."""
        import numpy as np

        folder = bundle.fetch(store, self.release.spec.promoted.bundle.digest)
        with tempfile.TemporaryDirectory() as scratch:
            rows_file, scores_file = Path(scratch, "rows.parquet"), Path(scratch, "scores.npy")
            rows.to_parquet(rows_file)
            _run("mlops.serving.score", str(rows_file), str(scores_file), folder=folder / "src")
            return np.load(scores_file)


def champion() -> Champion | None:
    """Return the last environment's release, None before the first promotion there."""
    release = environments.production().release
    return None if release is None else Champion(release)


def _run(module: str, *arguments: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=MINUTES * 60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"its code gave no scores within {MINUTES} minutes.") from None
    if done.returncode:
        why = failure(done.stderr, f"exit code {done.returncode}", folder)
        raise UserError(f"its code failed: {why}")
