"""The store of bundles, by digest: a folder, a registry, or any URL with an fsspec driver."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from mlops.console import without_password
from mlops.errors import UserError
from mlops.files import digest as digest_of
from mlops.files import digest_file
from mlops.paths import CACHE

BLOCK = 2**20
# Overrides params.yaml's `store`. No artifact records the store, so bundles can be moved.
VARIABLE = "MLOPS_STORE"


class Corrupt(UserError):
    """An object's bytes have another digest than its name."""


class Store:
    """Bundles at a URL: `sha256/<2 hex>/<64 hex>.tar`, each under the digest of its bytes.

    The URL comes from params.yaml; MLOPS_STORE overrides it.
    """

    def __init__(self, url: str) -> None:
        override = os.environ.get(VARIABLE)
        self.url = os.path.expanduser(override or url).rstrip("/")
        self._source = VARIABLE if override else "params.yaml"

    @property
    def name(self) -> str:
        """The URL without its password."""
        return without_password(self.url)

    def has(self, digest: str) -> bool:
        """Return whether the store holds an object of this digest, without reading its bytes."""
        with self._opened() as (files, root):
            return files.exists(f"{root}/{_name(digest)}")

    def put(self, path: Path, digest: str) -> bool:
        """Upload a file unless the store holds the same bytes; return whether it did.

        It is written under another name, then moved: a kill leaves nothing under the digest.
        """
        with self._opened() as (files, root):
            final = f"{root}/{_name(digest)}"
            if files.exists(final) and self._digest(files, final) == digest:
                return False
            with _temporary_name(files, final) as part:
                files.put_file(str(path), part)
            return True

    def fetch(self, digest: str) -> Path:
        """Return a local copy of an object; its digest is computed every time.

        Raises UserError if the store has no such object, Corrupt if it holds other bytes.
        """
        copy = cached(digest)
        if copy.is_file() and digest_file(copy) == digest:
            return copy
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=copy.parent) as scratch:
            fresh = Path(scratch) / copy.name
            with self._opened() as (files, root):
                name = f"{root}/{_name(digest)}"
                try:
                    # exists() is not used: some drivers return False for an unreachable host.
                    files.get_file(name, str(fresh))
                except FileNotFoundError:
                    raise UserError(self._missing(digest)) from None
            actual = digest_file(fresh)
            if actual != digest:
                raise Corrupt(self._corrupt(digest, actual))
            os.replace(fresh, copy)
        return copy

    def attach(self, digest: str, kind: str, content: bytes) -> bool:
        """Write a small file beside an object, e.g. its signature; return whether it is new.

        There may be several of one kind: a new one never replaces another.
        """
        with self._opened() as (files, root):
            final = f"{root}/{_beside(digest)}{digest_of(content)[7:23]}.{kind}"
            if files.exists(final) and files.cat_file(final) == content:
                return False
            with _temporary_name(files, final) as part:
                files.pipe_file(part, content)
            return True

    def attached(self, digest: str, kind: str) -> list[bytes]:
        """Return the files of a kind beside an object, in a fixed order."""
        with self._opened() as (files, root):
            folder, first = os.path.split(f"{root}/{_beside(digest)}")
            if not files.exists(folder):
                return []
            names = sorted(PurePosixPath(n).name for n in files.ls(folder, detail=False))
            matching = [n for n in names if n.startswith(first) and n.endswith(f".{kind}")]
            return [files.cat_file(f"{folder}/{name}") for name in matching]

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, str]]:
        """Yield the file system and its root; every error of its driver becomes a UserError."""
        from fsspec import register_implementation
        from fsspec.core import url_to_fs

        # fsspec knows another `oci`, Oracle's cloud.
        register_implementation("oci", "mlops.container.artifacts.Artifacts", clobber=True)
        try:
            files, root = url_to_fs(self.url)
            yield files, root.rstrip("/")
        except UserError:
            raise
        except ImportError as error:
            raise UserError(
                f"{self._source}: store is {self.name!r}, which needs a driver: {error}. "
                "Add it to pyproject.toml, then `make lock`."
            ) from None
        except Exception as error:  # pylint: disable=broad-except  # each driver has its own kinds
            why = without_password(f"{type(error).__name__}: {error}")
            raise UserError(
                f"{self._source}: the store {self.name!r} cannot be used: {why}. "
                "Use a folder or a URL that fsspec supports, and check that the credentials here "
                "can reach and write it."
            ) from error

    @staticmethod
    def _digest(files: Any, name: str) -> str:
        state = hashlib.sha256()
        with files.open(name, "rb") as file:
            while block := file.read(BLOCK):
                state.update(block)
        return f"sha256:{state.hexdigest()}"

    def _missing(self, digest: str) -> str:
        return (
            f"The store {self.name!r} has no {_name(digest)}. Run `make package` at the commit "
            "that the release names, or point params.yaml's `store` at the store with the bundle."
        )

    def _corrupt(self, digest: str, actual: str) -> str:
        return (
            f"The store {self.name!r} holds other bytes under {_name(digest)}: their digest is "
            f"{actual}. They are not used. Remove that object, then restore it or run "
            "`make package` at the commit that the release names."
        )


def cached(digest: str) -> Path:
    """Return the path below build/ for the local copy of an object."""
    return CACHE / _name(digest)


@contextmanager
def _temporary_name(files: Any, final: str) -> Iterator[str]:
    """Yield a name to write to; it is renamed to the final one if the block succeeds."""
    if getattr(files, "whole", False):
        yield final
        return
    part = f"{final}.{uuid4().hex}.part"
    files.makedirs(os.path.dirname(final), exist_ok=True)
    try:
        yield part
        files.mv(part, final)
    finally:
        if files.exists(part):
            files.rm_file(part)


def _beside(digest: str) -> str:
    return _name(digest).removesuffix("tar")


def _name(digest: str) -> str:
    hexadecimal = digest.removeprefix("sha256:")
    return f"sha256/{hexadecimal[:2]}/{hexadecimal}.tar"
