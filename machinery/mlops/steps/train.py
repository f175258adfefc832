"""Train the model on the older partitions; save it and its record below build/.

The newest partitions (params.yaml: data.holdout) are held out for `evaluate`. Training twice
with the same commit, data and parameters gives the same model digest; train.repeat in params.yaml
tests that each time. MLOPS_DEVICE overrides train.device: `cpu` trains on the CPU; `gpu` trains on
a GPU, and if there is none fails where train.device is `cuda`, else falls back to the CPU.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops.ci import actions
from mlops.config.params import Params
from mlops.console import Timer, say
from mlops.errors import UserError
from mlops.paths import MODELS
from mlops.serving.answer import CLASSES
from mlops.training import calls, contract, partitions, record

# Rows that a new model scores at once.
TRIED = 10
# Training rows whose scores show whether two models differ, or only their files do.
COMPARED_ROWS = 100


def run(_: argparse.Namespace) -> None:
    """Train, save the model under its digest, then point build/record.json at it."""
    params, variable = contract.params(), os.environ.get("MLOPS_DEVICE", "")
    device = _device(params.train.device, variable)
    columns = contract.columns(params.gate.cluster)
    split = partitions.split(params)
    rows, holdout = partitions.load(split.train), partitions.load(split.holdout)
    say("train", f"{len(rows.frame):,} rows of {split.train[0]} to {split.train[-1]} loaded")
    timer = Timer()
    model = _fit(rows.frame, params, columns, device)
    seconds = timer.seconds
    description = _save(model)
    effective = getattr(contract.team_model(), "trained_on", lambda _: "cpu")(model)
    repeat: dict[str, Any] = {"repeat": None}
    if params.train.repeat:
        second = _fit(rows.frame, params, columns, device)
        repeat = _compare((model, second), description["digest"], rows.frame[[*columns.features]])
    record.write_record(
        {
            "format": record.FORMAT,
            "name": params.name,
            "source": record.source(),
            "data": {
                "train": _describe(rows, columns),
                "holdout": _describe(holdout, columns),
                "reference": _reference(rows, holdout, columns, params.privacy.min_rows),
            },
            "params": {"fingerprint": params.fingerprint, "values": params.model_dump()},
            "environment": record.environment(),
            "training": {
                "device": {"wanted": variable or device, "effective": effective},
                "seed": params.train.seed,
                **repeat,
            },
            "model": description,
            **contract.answer().recorded(),
            "cost": {
                "train_seconds": seconds,
                "train_threads": params.train.threads,
                "peak_megabytes": record.peak_megabytes(),
            },
        }
    )
    twice = {None: "", description["digest"]: ", twice the same"}
    again = twice.get(repeat["repeat"], ", twice different")
    say("train", f"model {description['digest'][:19]} on {effective} in {seconds:.1f} s{again}")
    actions.output("model-digest", description["digest"])
    if variable == "gpu" and effective == "cpu":
        say("", "no GPU is available: trained on the CPU, as train.device in params.yaml allows")


def _device(configured: str, variable: str) -> str:
    """Return the device to train on, from train.device and MLOPS_DEVICE."""
    if variable not in ("", "cpu", "gpu"):
        raise UserError(
            f"MLOPS_DEVICE is {variable!r}. Set it to cpu or gpu, or unset it to "
            "use train.device in params.yaml."
        )
    on_gpu = "cuda" if configured == "cuda" else "auto"
    return {"": configured, "cpu": "cpu", "gpu": on_gpu}[variable]


def _fit(frame: Any, params: Params, columns: contract.Columns, device: str) -> Any:
    partitions.require(frame, columns, "training rows")
    model = calls.train(frame, columns, params, device)
    # A model that answers in another shape is refused now, not by a later step.
    try:
        calls.predict(model, frame[list(columns.features)].head(TRIED))
    except UserError as error:
        raise UserError(f"{error}{_missing_classes(frame, columns)}") from error
    return model


def _missing_classes(frame: Any, columns: contract.Columns) -> str:
    """Name the classes that no training row has: most classifiers know nothing of them."""
    answer = contract.answer()
    if answer.kind != CLASSES:
        return ""
    present = set(partitions.target(frame, columns).tolist())
    missing = [name for position, name in enumerate(answer.names) if position not in present]
    return f" No training row has the class {', '.join(missing)}." if missing else ""


def _save(model: Any) -> dict[str, Any]:
    """Save the model below build/models/ under its digest, so that it overwrites no other."""
    with _saved(model) as folder:
        description = record.describe_model(folder)
        destination = record.folder_for(description["digest"])
        if not destination.exists():
            folder.rename(destination)
    return description


def _compare(models: tuple[Any, Any], first_digest: str, features: Any) -> dict[str, Any]:
    """Return the second model's digest; if it differs, whether both score some rows alike."""
    import numpy as np

    with _saved(models[1]) as folder:
        digest = record.describe_model(folder)["digest"]
    if digest == first_digest:
        return {"repeat": digest}
    scores = [calls.predict(model, features.head(COMPARED_ROWS)) for model in models]
    return {"repeat": digest, "repeat_scores_alike": np.array_equal(*scores, equal_nan=True)}


@contextmanager
def _saved(model: Any) -> Iterator[Path]:
    """Yield a temporary folder with the model's files, on the file system of build/models/."""
    MODELS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=MODELS) as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        calls.save(model, folder)
        yield folder


def _describe(rows: partitions.Rows, columns: contract.Columns) -> dict[str, Any]:
    times = rows.frame[columns.time]
    return {
        "partitions": list(rows.fingerprints),
        "fingerprints": rows.fingerprints,
        "fingerprint": rows.fingerprint,
        "rows": len(rows.frame),
        "first": times.min().isoformat(),
        "last": times.max().isoformat(),
    }


def _reference(
    rows: partitions.Rows, holdout: partitions.Rows, columns: contract.Columns, min_rows: int
) -> dict[str, Any]:
    """Return histograms of the training rows, for later comparisons without these rows."""
    from mlops.statistics.drift import references

    frame = rows.frame[[*columns.features, *columns.targets]]
    return references(frame, len(holdout.frame), min_rows, columns.text)
