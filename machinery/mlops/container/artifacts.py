"""An OCI registry as an fsspec file system: each file is an artifact, and its name is a tag.

`oci://ghcr.io/owner/name` holds `sha256/ab/abc....tar` as ghcr.io/owner/name:abc....tar.
"""

import io
import tempfile
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from mlops.container.registry import OciRepository

# pylint: disable=arguments-differ  # options without a meaning here are ignored


# pylint: disable-next=abstract-method  # a store needs no more
class Artifacts(AbstractFileSystem):
    """The files of a store in the repositories of a registry."""

    protocol = "oci"
    cachable = False
    # A file appears with its manifest, which is pushed last, so no reader sees a part of it.
    whole = True

    def exists(self, path: str, **_: Any) -> bool:
        """Return whether the file exists, or any file below the folder."""
        repository, tag = _split(path)
        return repository.manifest(tag) is not None if tag else bool(repository.tags())

    def ls(self, path: str, detail: bool = True, **_: Any) -> list:
        """List the files of a folder."""
        folder, repository = path.removeprefix("oci://"), _split(path)[0]
        start = folder.rpartition("/")[2]
        names = [f"{folder}/{tag}" for tag in repository.tags(start)]
        return [{"name": name, "size": None, "type": "file"} for name in names] if detail else names

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        """Upload a file."""
        repository, tag = _split(rpath)
        repository.push(Path(lpath), tag)

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        """Download a file; raises FileNotFoundError."""
        repository, tag = _split(rpath)
        if not repository.pull(tag, Path(lpath)):
            raise FileNotFoundError(rpath)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Upload bytes as a file."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(value)
            file.flush()
            self.put_file(file.name, path)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """Return the bytes of a file."""
        with tempfile.NamedTemporaryFile() as file:
            self.get_file(path, file.name)
            return file.read()[start:end]

    def open(self, path: str, mode: str = "rb", **_: Any) -> io.BytesIO:
        """Open a file for reading."""
        return io.BytesIO(self.cat_file(path))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: the first push creates the repository."""


def _split(path: str) -> tuple[OciRepository, str]:
    """Return the repository of a file and its tag, "" for a folder."""
    name, _, file = path.removeprefix("oci://").partition("/sha256/")
    return OciRepository(name), file.partition("/")[2]
