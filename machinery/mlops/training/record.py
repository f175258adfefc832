"""build/record.json: what one run did. Deterministic, but for its `cost`."""

import os
import platform
import resource
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from mlops import __version__
from mlops.errors import UserError
from mlops.files import canonical, digest, digest_file, digest_folder, read_json, write_json
from mlops.git import changed, head
from mlops.paths import DATA_CHECK, IN_TREE, MODELS, RECORD
from mlops.upgrading import manifest

FORMAT = 1
# What decides the numbers a model gives; a difference here is worth a line in the report.
LIBRARIES = ("numpy", "pandas", "scikit-learn", "xgboost-cpu", "xgboost", "bentoml")
# The files a release is made from: a commit names them only if none is changed.
SOURCES = (
    *("data", "model", str(IN_TREE), "params.yaml"),
    *("requirements.txt", "requirements-serve.txt", "Dockerfile"),
)

Record = dict[str, Any]


def source() -> dict[str, Any]:
    """Return the commit, the files of the release that differ from it, and where to fetch it."""
    found = {"commit": head(), "changed": changed(*SOURCES)}
    # GitHub tries a pull request merged, in a commit that no branch holds.
    ref = os.environ.get("GITHUB_REF", "")
    return found | {"ref": ref} if ref.startswith("refs/pull/") else found


def environment() -> dict[str, Any]:
    """Return Python's version, the platform, the libraries shaping a model, and the machinery."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "libraries": versions,
        "machinery": {"version": __version__, "digest": manifest.package_digest()},
    }


def describe_model(folder: Path) -> dict[str, Any]:
    """Return the digest, size in bytes and files of a saved model."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "digest": digest_folder(folder),
        "bytes": sum(path.stat().st_size for path in files),
        "files": {str(path.relative_to(folder)): digest_file(path) for path in files},
    }


def model_folder(record: Record) -> Path:
    """Return where the model of a record lies; raises UserError if it is absent or was changed."""
    wanted = record["model"]["digest"]
    folder = folder_for(wanted)
    if not folder.is_dir():
        raise UserError(f"{folder} is missing, the model {RECORD} tells of. Run `make train`.")
    found = digest_folder(folder)
    if found != wanted:
        raise UserError(
            f"{folder} was changed after training: its digest is {found}, {RECORD} says {wanted}. "
            f"Remove it and run `make train`."
        )
    return folder


def folder_for(model_digest: str) -> Path:
    """Return the folder below build/ that a model of this digest is kept in."""
    return MODELS / model_digest.removeprefix("sha256:")


def peak_megabytes() -> int:
    """Return the most memory this process has held, in MB."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def data_fingerprint(train: str, holdout: str) -> str:
    """Return one fingerprint over those of all rows trained on and of all rows held out."""
    return digest(canonical([train, holdout]))


def record_digest(record: Record) -> str:
    """Return the digest of a record without its cost: two like runs have the same."""
    return digest(canonical({key: value for key, value in record.items() if key != "cost"}))


def identity(record: Record) -> Record:
    """Return what a record says of the model itself: neither how it compared nor what it cost."""
    return {key: value for key, value in record.items() if key not in ("evaluation", "cost")}


def read_record() -> Record:
    """Read the record of the last training; raises UserError if there is none of this format."""
    record = read_json(RECORD, made_by="train")
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UserError(f"{RECORD} is not a record of format {FORMAT}. Run `make train`.")
    return record


def read_evaluated() -> tuple[Record, dict[str, Any] | None]:
    """Read a record that was evaluated, and what `check-data` found, None where nobody checked."""
    record = read_record()
    if "evaluation" not in record:
        raise UserError("The model trained last was not evaluated. Run `make evaluate`.")
    check = read_json(DATA_CHECK, made_by="check-data") if DATA_CHECK.exists() else None
    return record, check


def write_record(record: Record) -> None:
    """Write the record of this run."""
    write_json(RECORD, record)
