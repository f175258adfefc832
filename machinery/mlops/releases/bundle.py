"""The bundle: a Bento packed as one file; commit, model and data alone decide its bytes."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from mlops import PACKAGE, files, git
from mlops.config.params import PrivacyParams
from mlops.errors import UserError, failure
from mlops.paths import BUILD, CACHE, IN_TREE
from mlops.releases.store import Store, cached
from mlops.serving.frames import column_types
from mlops.serving.onnx_file import ONNX
from mlops.training import calls, contract, partitions, record
from mlops.training.row_schema import row_schema
from mlops.upgrading import manifest

if TYPE_CHECKING:
    from pandas import DataFrame

SERVICE = "mlops.serving.service:Predictor"
LOCK = "requirements-serve.txt"
DOCKERFILE = "Dockerfile"
# The team's code that the service imports or the image build reads; paths in the repository.
IMAGE = (LOCK, DOCKERFILE)
TEAM = ("model", "data/*.py", *IMAGE)
# The machinery's code for the same; paths in the package `mlops`.
STAGES = "container/Dockerfile"
MACHINERY = ("__init__.py", "errors.py", "files.py", "exit.py", "serving", STAGES)


@dataclass(frozen=True)
class PackedBundle:
    """A packed bundle and the row schema of its service."""

    path: Path
    digest: str
    bytes: int
    schema: dict[str, Any]


def pack(training: record.Record, model: Path) -> PackedBundle:
    """Pack a model with the code of its record's commit; packing twice gives the same digest.

    With `serve.runtime: onnx` it is the exported model, packed without the team's code.

    Raises UserError if the packed model cannot score a row.
    """
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pack.", dir=BUILD) as scratch:
        stage = Path(scratch).absolute() / "stage"
        schema = _stage(training, model, stage)
        bento = _build(training, stage)
        _run_in(bento / "src", "mlops.serving.scorer", why="The packed model gave no answer")
        packed = Path(scratch) / "bundle.tar"
        _tar(bento, packed)
        digest = files.digest_file(packed)
        path = cached(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(packed, path)
    return PackedBundle(path, digest, path.stat().st_size, schema)


def fetch(store: Store, digest: str) -> Path:
    """Return the unpacked bundle of a digest, a Bento to serve, from its folder below build/."""
    return unpack(store.fetch(digest), digest, folder_of(digest))


def folder_of(digest: str) -> Path:
    """Return the folder below build/ for the unpacked bundle of this digest."""
    return CACHE / "bundles" / digest.removeprefix("sha256:")


def unpack(path: Path, digest: str, into: Path) -> Path:
    """Unpack a bundle into a folder; an unchanged folder stays, a changed one is replaced."""
    actual = files.digest_file(path)
    if actual != digest:
        raise UserError(f"{path} is not the bundle {digest}: its digest is {actual}. Remove it.")
    with tarfile.open(path) as tar:
        if into.exists() and not _is_unchanged(into, tar):
            shutil.rmtree(into)
        if not into.exists():
            with files.new_folder(into) as fresh:
                files.extract(tar, fresh)
    return into


def _stage(training: record.Record, model: Path, stage: Path) -> dict[str, Any]:
    """Lay out the `src` folder, and return the schema of a row."""
    commit, machinery = training["source"]["commit"], [f"mlops/{name}" for name in MACHINERY]
    with_onnx = record.serves_onnx(training)
    _extract(commit, IMAGE if with_onnx else TEAM, stage)
    if IN_TREE.is_dir():
        _extract(f"{commit}:{IN_TREE.parent}", machinery, stage)
    else:
        _copy_installed(stage / "mlops")
    _complete_dockerfile(stage)
    shutil.copytree(model, stage / "trained")
    identity = record.identity(training)
    if with_onnx:
        identity["served"] = {"runtime": ONNX, "digest": files.digest_folder(model)}
    files.write_json(stage / "record.json", identity)
    rows = _newest_rows(training)
    # The record may be of a machinery that had no such section.
    privacy = PrivacyParams.model_validate(training["params"]["values"].get("privacy", {}))
    schema = row_schema(list(rows.columns), rows, privacy.min_rows)
    # Not sorted: the fields keep the order of data.SCHEMA.
    files.write(stage / "schema.json", json.dumps(schema, indent=1) + "\n")
    if calls.takes_frame() and not with_onnx:
        files.write(stage / "frame.json", json.dumps(column_types(rows), indent=1) + "\n")
    return schema


def _extract(tree: str, paths: Sequence[str], folder: Path) -> None:
    """Write the files of a commit's tree below a folder; untracked files are left out."""
    archive = git.output("archive", tree, "--", *paths)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files.extract(tar, folder)


def _copy_installed(folder: Path) -> None:
    """Copy the service's code from the installed package, whose wheel the lock pins by its hash."""
    manifest.require_as_installed()
    for name in MACHINERY:
        source, target = PACKAGE / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def _complete_dockerfile(stage: Path) -> None:
    """Append the machinery's stages to the repository's Dockerfile."""
    stages = stage / "mlops" / STAGES
    both = (stage / DOCKERFILE).read_text("utf-8") + "\n" + stages.read_text("utf-8")
    files.write(stage / DOCKERFILE, both)
    shutil.rmtree(stages.parent)


def _newest_rows(training: record.Record) -> "DataFrame":
    """Return the features of the newest partition."""
    columns = contract.columns(training["params"]["values"]["gate"]["cluster"])
    newest = training["data"]["holdout"]["partitions"][-1:]
    return partitions.load(newest).frame[list(columns.features)]


def _build(training: record.Record, stage: Path) -> Path:
    """Let BentoML build a Bento from the stage, and make it reproducible."""
    name, commit = training["name"], training["source"]["commit"]
    model_digest = training["model"]["digest"]
    version = files.digest_folder(stage).removeprefix("sha256:")[:16]
    options = {
        "service": SERVICE,
        "name": name,
        "description": f"# {name}\n\nModel {model_digest}, built at commit {commit}.\n",
        "include": ["*"],
        "exclude": ["__pycache__/", DOCKERFILE],
        "docker": {"python_version": ".".join(training["environment"]["python"].split(".")[:2])},
        # The lock exists; BentoML would resolve it again.
        "python": {"lock_packages": False},
    }
    files.write(stage / "bentofile.yaml", yaml.safe_dump(options, sort_keys=False))
    # BentoML finds the file by itself, but not below a hidden folder, so it is named.
    build = ("build", "--version", version, "--bentofile", "bentofile.yaml")
    _run_in(stage, "bentoml", *build, why="BentoML built no bundle")
    bento = stage.parent / "bentoml" / "bentos" / name / version
    _fix_time(bento / "bento.yaml", git.commit_time(commit))
    (bento / "src" / LOCK).replace(bento / "env/python/requirements.txt")
    (bento / "env/python/requirements.in").unlink()
    # The Dockerfile of `bentoml containerize` gives an image four times the size.
    (stage / DOCKERFILE).replace(bento / "env/docker" / DOCKERFILE)
    return bento


def _fix_time(path: Path, commit_time: str) -> None:
    """Replace the build time of a Bento by the time of its commit."""
    metadata = yaml.safe_load(path.read_text(encoding="utf-8"))
    metadata["creation_time"] = datetime.fromisoformat(commit_time).astimezone(UTC).isoformat()
    files.write(path, yaml.safe_dump(metadata, sort_keys=False))


def _run_in(folder: Path, module: str, *arguments: str, why: str) -> None:
    """Run a module with the folder's code only; UserError with the reason."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("BENTOML_", "MLOPS_"))}
    inherited.pop("PYTHONPATH", None)
    # A new process: BentoML keeps the first home that it reads, and imports the service.
    home = {"BENTOML_HOME": str(folder.parent / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**inherited, **home, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        printed = done.stderr.strip() or done.stdout
        raise UserError(f"{why}: {failure(printed, f'exit code {done.returncode}', folder)}")


def _tar(folder: Path, path: Path) -> None:
    """Write a folder's files as a tar; only their names and contents decide its bytes."""
    # Not compressed: the bytes would depend on the version of zlib.
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, source in sorted(_files(folder).items()):
            entry = tarfile.TarInfo(name)
            entry.size = source.stat().st_size
            entry.mode = 0o755 if name.endswith(".sh") else 0o644
            with source.open("rb") as content:
                tar.addfile(entry, content)


def _files(folder: Path) -> dict[str, Path]:
    paths = (
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {PurePosixPath(path.relative_to(folder)).as_posix(): path for path in paths}


def _is_unchanged(folder: Path, tar: tarfile.TarFile) -> bool:
    """Return whether a folder holds exactly the files of a tar, apart from Python's caches."""
    present, entries = _files(folder), {entry.name: entry for entry in tar}
    return present.keys() == entries.keys() and all(
        tar.extractfile(entry).read() == present[name].read_bytes()
        for name, entry in entries.items()
    )
