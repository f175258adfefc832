"""Train the model on the older partitions, keep it and its record below build/.

The newest partitions (params.yaml: data.holdout) are held out for `evaluate`. Training twice
with the same commit, data and parameters gives the same model digest; params.yaml's train.repeat
has that tried each time. MLOPS_DEVICE says what this machine is for: `cpu`, whatever params.yaml
asks for, or `gpu`, where params.yaml's `cuda` fails without one and anything else falls back.
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
from mlops.training import contract, record


def run(_: argparse.Namespace) -> None:
    """Train, save the model under its digest, then point build/record.json at it."""
    params, given = contract.params(), os.environ.get("MLOPS_DEVICE", "")
    on = _device(params.train.device, given)
    columns = contract.columns(params.gate.cluster)
    split = contract.split(params)
    timer = Timer()
    rows, later = contract.load(split.train), contract.load(split.holdout)
    period = f"{split.train[0]} to {split.train[-1]}"
    say("train", f"{len(rows.frame):,} rows of {period} loaded in {timer.seconds:.1f} s")
    timer = Timer()
    model = _fit(rows.frame, params, columns, on)
    seconds = timer.seconds
    description = _keep(model)
    effective = getattr(contract.team_model(), "trained_on", lambda _: "cpu")(model)
    second = _digest(_fit(rows.frame, params, columns, on)) if params.train.repeat else None
    record.write_record(
        {
            "format": record.FORMAT,
            "name": params.name,
            "source": record.source(),
            "data": {
                "train": _describe(rows, columns),
                "holdout": _describe(later, columns),
                "reference": _reference(rows, later, columns),
            },
            "params": {"fingerprint": params.fingerprint, "values": params.model_dump()},
            "environment": record.environment(),
            "training": {
                "device": {"wanted": given or on, "effective": effective},
                "seed": params.train.seed,
                "repeat": second,
            },
            "model": description,
            "cost": {
                "train_seconds": seconds,
                "train_threads": params.train.threads,
                "peak_megabytes": record.peak_megabytes(),
            },
        }
    )
    again = {None: "", description["digest"]: ", twice the same"}.get(second, ", twice different")
    say("train", f"model {description['digest'][:19]} on {effective} in {seconds:.1f} s{again}")
    actions.output("model-digest", description["digest"])
    if given == "gpu" and effective == "cpu":
        say("", "a GPU was asked for and none was found: params.yaml lets train.device fall back")


def _device(asked: str, given: str) -> str:
    """Return where to train, of what params.yaml asks for and what this machine is for."""
    if given not in ("", "cpu", "gpu"):
        raise UserError(
            f"MLOPS_DEVICE is {given!r}. It is cpu, gpu, or empty for what params.yaml says."
        )
    return {"": asked, "cpu": "cpu", "gpu": "cuda" if asked == "cuda" else "auto"}[given]


def _fit(frame: Any, params: Params, columns: contract.Columns, device: str) -> Any:
    contract.require(frame, columns, "training rows")
    with contract.team_code("model.train"):
        return contract.team_model().train(
            frame[list(columns.features)],
            frame[columns.target].to_numpy(),
            params.model,
            device=device,
            threads=params.train.threads,
            seed=params.train.seed,
        )


def _keep(model: Any) -> dict[str, Any]:
    """Save the model below build/models/ under its digest, so that no older one is overwritten."""
    with _saved(model) as folder:
        description = record.describe_model(folder)
        kept = record.folder_for(description["digest"])
        if not kept.exists():
            folder.rename(kept)
    return description


def _digest(model: Any) -> str:
    with _saved(model) as folder:
        return record.describe_model(folder)["digest"]


@contextmanager
def _saved(model: Any) -> Iterator[Path]:
    """Yield a folder with the model's files, beside those kept; what stays there is removed."""
    MODELS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=MODELS) as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        contract.team_model().save(model, folder)
        yield folder


def _describe(rows: contract.Rows, columns: contract.Columns) -> dict[str, Any]:
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
    rows: contract.Rows, later: contract.Rows, columns: contract.Columns
) -> dict[str, Any]:
    """Return what rows yet to come are compared with, long after these are out of reach."""
    from mlops.statistics.drift import references

    return references(rows.frame[[*columns.features, columns.target]], stretch=len(later.frame))
