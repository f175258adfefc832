"""A small model of the team's, trained on a sample of its oldest partition."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlops.config.params import Params
from mlops.training import calls, contract, partitions, record

if TYPE_CHECKING:
    from pandas import DataFrame

# Enough for a model to learn something, few enough for seconds.
ROWS = 2000


@dataclass(frozen=True)
class Sample:
    """Rows of one partition, evenly spread, and the parameters that a model is trained with."""

    frame: "DataFrame"
    columns: contract.Columns
    params: Params

    @property
    def features(self) -> "DataFrame":
        """The columns that the model sees."""
        return self.frame[list(self.columns.features)]

    def train(self) -> Any:
        """Train the team's model as the step `train` does."""
        partitions.require(self.frame, self.columns, "training rows")
        return calls.train(self.frame, self.columns, self.params, "cpu")


@pytest.fixture(scope="session")
def params() -> Params:
    """The parameters in params.yaml."""
    return contract.params()


@pytest.fixture(scope="session")
def sample(params) -> Sample:
    """Rows of the oldest partition in use."""
    oldest = partitions.split(params).train[:1]
    frame = partitions.load(oldest).frame
    frame = frame.iloc[:: max(1, len(frame) // ROWS)][:ROWS].reset_index(drop=True)
    return Sample(frame, contract.columns(params.gate.cluster), params)


@pytest.fixture(scope="session")
def trained(sample) -> Any:
    """A model of the sample."""
    return sample.train()


@pytest.fixture
def save(tmp_path):
    """A function that saves a model in a new folder and returns the folder with its description."""

    def run(model: Any, name: str) -> tuple[Path, dict[str, Any]]:
        folder = tmp_path / name
        folder.mkdir()
        calls.save(model, folder)
        return folder, record.describe_model(folder)

    return run
