"""The bundle: a Bento packed as one file whose bytes follow from commit, model and data alone."""

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
from typing import Any

import yaml

from mlops import PACKAGE, files, git
from mlops.errors import UserError, failure
from mlops.paths import BUILD, CACHE, IN_TREE
from mlops.releases.store import Store, cached
from mlops.training import contract, record
from mlops.training.row_schema import row_schema
from mlops.upgrading import manifest

SERVICE = "mlops.serving.service:Predictor"
LOCK = "requirements-serve.txt"
DOCKERFILE = "Dockerfile"
# The team's code that the service imports, and the image is built by; paths in the repository.
TEAM = ("model", "data/*.py", LOCK, DOCKERFILE)
# The same of the machinery; paths in the package `mlops`.
STAGES = "container/Dockerfile"
MACHINERY = ("__init__.py", "errors.py", "files.py", "exit.py", "serving", STAGES)


@dataclass(frozen=True)
class Bundle:
    """A packed bundle, and the schema of the rows that its service takes."""

    path: Path
    digest: str
    bytes: int
    schema: dict[str, Any]


def pack(made: record.Record, model: Path) -> Bundle:
    """Pack a model with the code of its record's commit; packing twice gives the same digest.

    Raises UserError when what was packed cannot answer a row.
    """
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pack.", dir=BUILD) as scratch:
        stage = Path(scratch).absolute() / "stage"
        schema = _stage(made, model, stage)
        bento = _build(made, stage)
        _run_in(bento / "src", "mlops.serving.scorer", why="The packed model gave no answer")
        packed = Path(scratch) / "bundle.tar"
        _tar(bento, packed)
        digest = files.digest_file(packed)
        kept = cached(digest)
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(packed, kept)
    return Bundle(kept, digest, kept.stat().st_size, schema)


def fetch(store: Store, digest: str) -> Path:
    """Return the unpacked bundle of a digest, a Bento to serve; it is kept below build/."""
    return unpack(store.fetch(digest), digest, folder_of(digest))


def folder_of(digest: str) -> Path:
    """Return the folder below build/ that a bundle of this digest is unpacked in."""
    return CACHE / "bundles" / digest.removeprefix("sha256:")


def unpack(path: Path, digest: str, into: Path) -> Path:
    """Unpack a bundle into a folder; one already there stays only if nothing in it was changed."""
    found = files.digest_file(path)
    if found != digest:
        raise UserError(f"{path} is not the bundle {digest}: its digest is {found}. Remove it.")
    with tarfile.open(path) as tar:
        if into.exists() and not _is_unchanged(into, tar):
            shutil.rmtree(into)
        if not into.exists():
            with files.new_folder(into) as fresh:
                tar.extractall(fresh, filter="data")
    return into


def _stage(made: record.Record, model: Path, stage: Path) -> dict[str, Any]:
    """Lay out what becomes the `src` folder, and return the schema of a row."""
    commit, machinery = made["source"]["commit"], [f"mlops/{name}" for name in MACHINERY]
    _extract(commit, TEAM, stage)
    if IN_TREE.is_dir():
        _extract(f"{commit}:{IN_TREE.parent}", machinery, stage)
    else:
        _copy_installed(stage / "mlops")
    _complete_dockerfile(stage)
    shutil.copytree(model, stage / "trained")
    files.write_json(stage / "record.json", record.identity(made))
    schema = _schema(made)
    # Not sorted: the fields keep the order of data.SCHEMA.
    files.write(stage / "schema.json", json.dumps(schema, indent=1) + "\n")
    return schema


def _extract(tree: str, paths: Sequence[str], folder: Path) -> None:
    """Write the files of a commit's tree below a folder: what git does not know cannot slip in."""
    command = ["git", "archive", tree, "--", *paths]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode:
        raise UserError(f"git archive failed: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")


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


def _schema(made: record.Record) -> dict[str, Any]:
    columns = contract.columns(made["params"]["values"]["gate"]["cluster"])
    newest = made["data"]["holdout"]["partitions"][-1:]
    return row_schema(columns.features, contract.load(newest).frame)


def _build(made: record.Record, stage: Path) -> Path:
    """Have BentoML build a Bento from the stage, and make it the same every time."""
    name, commit = made["name"], made["source"]["commit"]
    version = files.digest_folder(stage).removeprefix("sha256:")[:16]
    options = {
        "service": SERVICE,
        "name": name,
        "description": f"# {name}\n\nModel {made['model']['digest']}, built at commit {commit}.\n",
        "include": ["*"],
        "exclude": ["__pycache__/", DOCKERFILE],
        "docker": {"python_version": ".".join(made["environment"]["python"].split(".")[:2])},
        # Locked already; BentoML would ask a registry again.
        "python": {"lock_packages": False},
    }
    files.write(stage / "bentofile.yaml", yaml.safe_dump(options, sort_keys=False))
    # The file is named because BentoML, left to find it, refuses a path with a hidden folder in it.
    build = ("build", "--version", version, "--bentofile", "bentofile.yaml")
    _run_in(stage, "bentoml", *build, why="BentoML built no bundle")
    bento = stage.parent / "bentoml" / "bentos" / name / version
    _fix_time(bento / "bento.yaml", git.commit_time(commit))
    (bento / "src" / LOCK).replace(bento / "env/python/requirements.txt")
    (bento / "env/python/requirements.in").unlink()
    # BentoML's own, which `bentoml containerize` writes anew, gives an image four times the size.
    (stage / DOCKERFILE).replace(bento / "env/docker" / DOCKERFILE)
    return bento


def _fix_time(path: Path, commit_time: str) -> None:
    """Replace the time a Bento was built, which differs every time, by that of its commit."""
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    described["creation_time"] = datetime.fromisoformat(commit_time).astimezone(UTC).isoformat()
    files.write(path, yaml.safe_dump(described, sort_keys=False))


def _run_in(folder: Path, module: str, *arguments: str, why: str) -> None:
    """Run a module where only the folder's code is found; raises UserError with why it failed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BENTOML_", "MLOPS_"))}
    kept.pop("PYTHONPATH", None)
    # In a process of its own: BentoML keeps the first home it sees, and imports the service.
    home = {"BENTOML_HOME": str(folder.parent / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**kept, **home, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        printed = done.stderr.strip() or done.stdout
        raise UserError(f"{why}: {failure(printed, f'exit code {done.returncode}', folder)}")


def _tar(folder: Path, path: Path) -> None:
    """Write a folder's files so that nothing but their names and contents decides the bytes."""
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
    """Return whether a folder holds the files of a tar and no others, Python's caches aside."""
    there, wanted = _files(folder), {entry.name: entry for entry in tar}
    return there.keys() == wanted.keys() and all(
        tar.extractfile(entry).read() == there[name].read_bytes() for name, entry in wanted.items()
    )
