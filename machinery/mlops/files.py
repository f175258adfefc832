"""Atomic files: each is written to a temporary file, flushed, then renamed."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops.errors import UserError


def canonical(value: Any) -> bytes:
    """Return the canonical JSON text (sorted keys, no spaces, UTF-8) that digests cover."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(content: bytes) -> str:
    """Return the digest of bytes as `sha256:<64 hex>`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_file(path: Path) -> str:
    """Return the digest of a file, read in blocks."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def digest_folder(folder: Path) -> str:
    """Return one digest of the relative names and the contents of all files below a folder."""
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest(canonical({str(path.relative_to(folder)): digest_file(path) for path in names}))


def write(path: Path, content: str | bytes) -> None:
    """Write a file atomically: a kill leaves the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp creates private files; these must be readable like any other.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON with sorted keys."""
    write(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path, made_by: str) -> Any:
    """Read a JSON file that the step `made_by` writes; raises UserError if absent or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Run `make {made_by}` first.") from None
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error}). Run `make {made_by}` to write it again."
        ) from None


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder and rename it to `path` on success; an existing `path` stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if not path.exists():
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
