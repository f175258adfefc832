"""Where a log or labels are: a path on this machine, or a URL that fsspec knows, copied here."""

import shutil
from pathlib import Path

from mlops.console import without_password
from mlops.errors import UserError
from mlops.files import digest
from mlops.paths import CACHE


def local(place: str) -> Path:
    """Return a path on this machine to a file or folder; UserError when a URL cannot be read."""
    if "://" not in place:
        return Path(place)
    if not place.partition("://")[2].strip("/"):
        raise UserError(f"{place} names no folder and no file. Name one, such as s3://bucket/log.")
    from fsspec.core import url_to_fs

    name = place.rstrip("/").rsplit("/", 1)[1]
    copy = CACHE / "monitor" / digest(place.encode()).removeprefix("sha256:")[:12] / name
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir(parents=True)
    try:
        files, root = url_to_fs(place)
        if files.isdir(root):
            files.get(root.rstrip("/") + "/", f"{copy}/", recursive=True)
        else:
            files.get_file(root, str(copy))
    except Exception as error:  # pylint: disable=broad-except  # each driver has its own kinds
        why = without_password(f"{place} cannot be read: {type(error).__name__}: {error}")
        raise UserError(
            f"{why}. Name a folder, a file or a "
            "URL that fsspec knows, and check that the credentials here may read it."
        ) from error
    return copy
