"""Access to a log or labels: a path on this machine, or an fsspec URL that is copied here."""

import shutil
from pathlib import Path

from mlops.console import without_password
from mlops.errors import UserError
from mlops.files import digest
from mlops.paths import CACHE


def local(address: str) -> Path:
    """Return a path on this machine to a file or folder; UserError when a URL cannot be read."""
    if "://" not in address:
        if not Path(address).exists():
            raise UserError(f"{address} is missing. Name an existing file or folder.")
        return Path(address)
    if not address.partition("://")[2].strip("/"):
        raise UserError(f"{address} names no folder or file. Name one, such as s3://bucket/log.")
    from fsspec.core import url_to_fs

    name = address.rstrip("/").rsplit("/", 1)[1]
    copy = CACHE / "monitor" / digest(address.encode()).removeprefix("sha256:")[:12] / name
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir(parents=True)
    try:
        files, root = url_to_fs(address)
        if files.isdir(root):
            files.get(root.rstrip("/") + "/", f"{copy}/", recursive=True)
        else:
            files.get_file(root, str(copy))
    except Exception as error:  # pylint: disable=broad-except  # each driver raises its own
        problem = without_password(f"{address} cannot be read: {type(error).__name__}: {error}")
        raise UserError(
            f"{problem}. Name a folder, a file or a "
            "URL that fsspec knows, and check that the credentials here may read it."
        ) from error
    return copy
