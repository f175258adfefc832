"""Where bundles are kept, by digest: a folder, a registry, or whatever fsspec has a driver for."""

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
# Where it is set, nothing in the files is: what was built says nothing of where it is kept.
VARIABLE = "MLOPS_STORE"


class Corrupt(UserError):
    """An object's bytes are not those that its name promises."""


class Store:
    """Bundles at a URL: `sha256/<2 hex>/<64 hex>.tar`, each under the digest of its bytes.

    The URL is that of params.yaml; MLOPS_STORE wins over it.
    """

    def __init__(self, url: str) -> None:
        told = os.environ.get(VARIABLE)
        self.url = os.path.expanduser(told or url).rstrip("/")
        self._place = VARIABLE if told else "params.yaml"

    @property
    def name(self) -> str:
        """The URL as it may be shown."""
        return without_password(self.url)

    def has(self, digest: str) -> bool:
        """Return whether the store holds an object of this digest; its bytes are not read."""
        with self._reached() as (files, root):
            return files.exists(f"{root}/{_name(digest)}")

    def put(self, path: Path, digest: str) -> bool:
        """Upload a file unless the store holds its very bytes; return whether it did.

        Written under another name, then moved: a kill leaves nothing under the digest.
        """
        with self._reached() as (files, root):
            final = f"{root}/{_name(digest)}"
            if files.exists(final) and self._digest(files, final) == digest:
                return False
            with _moved_into(files, final) as part:
                files.put_file(str(path), part)
            return True

    def fetch(self, digest: str) -> Path:
        """Return a local copy of an object, its digest computed every time.

        Raises UserError where the store has no such object, Corrupt where it holds other bytes.
        """
        kept = cached(digest)
        if kept.is_file() and digest_file(kept) == digest:
            return kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=kept.parent) as scratch:
            fresh = Path(scratch) / kept.name
            with self._reached() as (files, root):
                name = f"{root}/{_name(digest)}"
                try:
                    # Not asked whether it exists: some drivers say no where nobody answers.
                    files.get_file(name, str(fresh))
                except FileNotFoundError:
                    raise UserError(self._missing(digest)) from None
            found = digest_file(fresh)
            if found != digest:
                raise Corrupt(self._corrupt(digest, found))
            os.replace(fresh, kept)
        return kept

    def attach(self, digest: str, kind: str, content: bytes) -> bool:
        """Keep a small file beside an object, e.g. its signature; return whether it is new.

        Of one kind there may be several: none replaces another, whoever wrote it.
        """
        with self._reached() as (files, root):
            final = f"{root}/{_beside(digest)}{digest_of(content)[7:23]}.{kind}"
            if files.exists(final) and files.cat_file(final) == content:
                return False
            with _moved_into(files, final) as part:
                files.pipe_file(part, content)
            return True

    def attached(self, digest: str, kind: str) -> list[bytes]:
        """Return what was kept beside an object, in an order that does not change."""
        with self._reached() as (files, root):
            folder, first = os.path.split(f"{root}/{_beside(digest)}")
            if not files.exists(folder):
                return []
            names = sorted(PurePosixPath(n).name for n in files.ls(folder, detail=False))
            kept = [n for n in names if n.startswith(first) and n.endswith(f".{kind}")]
            return [files.cat_file(f"{folder}/{name}") for name in kept]

    @contextmanager
    def _reached(self) -> Iterator[tuple[Any, str]]:
        """Yield the file system and its root; whatever its driver raises becomes a UserError."""
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
                f"{self._place}: store is {self.name!r}, which needs a driver: {error}. "
                "Add it to pyproject.toml, then `make lock`."
            ) from None
        except Exception as error:  # pylint: disable=broad-except  # each driver has its own kinds
            why = without_password(f"{type(error).__name__}: {error}")
            raise UserError(
                f"{self._place}: the store {self.name!r} cannot be used: {why}. "
                "Use a folder or a URL that fsspec knows, and check that it can be reached and "
                "written with the credentials here."
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
            "that the release names, or point params.yaml's `store` at where it was packed to."
        )

    def _corrupt(self, digest: str, found: str) -> str:
        return (
            f"The store {self.name!r} holds other bytes under {_name(digest)}: their digest is "
            f"{found}. They are not used. Remove that object, then restore it or run "
            "`make package` at the commit that the release names."
        )


def cached(digest: str) -> Path:
    """Return where below build/ the local copy of an object lies, if there is one."""
    return CACHE / _name(digest)


@contextmanager
def _moved_into(files: Any, final: str) -> Iterator[str]:
    """Yield another name to write to, which becomes the final one when the block ends well."""
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
