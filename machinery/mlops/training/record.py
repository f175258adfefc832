"""build/record.json: the record of one run, deterministic except for its `cost`."""

import os
import platform
import resource
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from mlops import __version__
from mlops.errors import UserError
from mlops.files import canonical, digest, digest_file, digest_folder, read_json, write_json
from mlops.git import changed, head
from mlops.paths import DATA_CHECK, IN_TREE, MODELS, RECORD
from mlops.serving.onnx_file import ONNX
from mlops.training.pickles import pickles
from mlops.upgrading import manifest, rewriting

FORMAT = 1
PROJECT = Path("pyproject.toml")
# Libraries of the machinery through which every row and score goes.
LIBRARIES = ("numpy", "pandas", "bentoml")
# The files a release is made from; a commit identifies them only if none of them is changed.
SOURCES = (
    *("data", "model", str(IN_TREE), "params.yaml"),
    *("requirements.txt", "requirements-serve.txt", "Dockerfile"),
)

Record = dict[str, Any]


def source() -> dict[str, Any]:
    """Return the commit, the files of the release that differ from it, and the ref to fetch."""
    commit = {"commit": head(), "changed": changed(*SOURCES)}
    # GitHub tests a pull request in a merge commit that is on no branch.
    ref = os.environ.get("GITHUB_REF", "")
    return commit | {"ref": ref} if ref.startswith("refs/pull/") else commit


def environment() -> dict[str, Any]:
    """Return the versions of Python, platform, libraries and machinery that determine a model."""
    versions = {}
    for name in libraries():
        try:
            versions[name] = metadata.version(name)
        # It is for another platform or Python.
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "libraries": versions,
        "machinery": {"version": __version__, "digest": manifest.package_digest()},
    }


def libraries() -> list[str]:
    """Return the packages that determine a model: those that pyproject.toml names, and ours."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads(PROJECT.read_text("utf-8")) if PROJECT.exists() else {}
    requirements = [
        *project.get("project", {}).get("dependencies", ()),
        *project.get("dependency-groups", {}).get("serve", ()),
    ]
    # A group may also name another group, by a table.
    names = {
        canonicalize_name(Requirement(text).name) for text in requirements if isinstance(text, str)
    }
    return sorted(names.union(LIBRARIES) - {rewriting.PACKAGE})


def describe_model(folder: Path) -> dict[str, Any]:
    """Return the digest, size in bytes and files of a saved model, and any that are pickle."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    pickled = pickles(folder)
    description = {
        "digest": digest_folder(folder),
        "bytes": sum(path.stat().st_size for path in files),
        "files": {str(path.relative_to(folder)): digest_file(path) for path in files},
    }
    return description | {"pickled": pickled} if pickled else description


def model_folder(record: Record) -> Path:
    """Return the folder of a record's model; raises UserError if it is missing or was changed."""
    recorded = record["model"]["digest"]
    folder = folder_for(recorded)
    if not folder.is_dir():
        raise UserError(f"{folder}, the model in {RECORD}, is missing. Run `make train`.")
    actual = digest_folder(folder)
    if actual != recorded:
        raise UserError(
            f"{folder} was changed after training: its digest is {actual}, {RECORD} has "
            f"{recorded}. Remove it and run `make train`."
        )
    return folder


def serves_onnx(record: Record) -> bool:
    """Return whether the service scores with the exported model; an older record has no runtime."""
    return record["params"]["values"]["serve"].get("runtime") == ONNX


def folder_for(model_digest: str) -> Path:
    """Return the folder below build/ for a model of this digest."""
    return MODELS / model_digest.removeprefix("sha256:")


def peak_megabytes() -> int:
    """Return the peak memory of this process in MB."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def data_fingerprint(train: str, holdout: str) -> str:
    """Return one fingerprint of the training and the held-out rows."""
    return digest(canonical([train, holdout]))


def record_digest(record: Record) -> str:
    """Return the digest of a record without its cost, the same for identical runs."""
    return digest(canonical({key: value for key, value in record.items() if key != "cost"}))


def identity(record: Record) -> Record:
    """Return the part of a record that identifies the model, without evaluation and cost."""
    return {key: value for key, value in record.items() if key not in ("evaluation", "cost")}


def read_record() -> Record:
    """Read the record of the last training; raises UserError if it is missing or too old."""
    record = read_json(RECORD, made_by="train")
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UserError(f"{RECORD} is not a record of format {FORMAT}. Run `make train`.")
    return record


def read_evaluated() -> tuple[Record, dict[str, Any] | None]:
    """Read an evaluated record and the result of `check-data`, None if that did not run."""
    record = read_record()
    if "evaluation" not in record:
        raise UserError("The last trained model was not evaluated. Run `make evaluate`.")
    check = read_json(DATA_CHECK, made_by="check-data") if DATA_CHECK.exists() else None
    return record, check


def write_record(record: Record) -> None:
    """Write the record of this run."""
    write_json(RECORD, record)
