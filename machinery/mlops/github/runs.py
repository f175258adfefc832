"""A run of a workflow on GitHub, and the JSON files in its artifacts.

Code that nobody has reviewed yet may have written an artifact: only the named files are read, up to
a limit of their size.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

from mlops.errors import Refused, UserError
from mlops.github.api import GitHub

# A hundred times the size of the example's report (0.1 MB) and record (40 kB).
MOST_PACKED, MOST_BYTES = 20_000_000, 4_000_000


def find(github: GitHub, number: str) -> dict[str, Any]:
    """Return GitHub's description of a run; raises UserError if there is no such run."""
    if not number.isascii() or not number.isdecimal():
        raise UserError(
            f"--run is {number!r}; the id of a run is a number, the last in its address."
        )
    run = github.get(f"actions/runs/{number}")
    if run is None:
        raise UserError(f"{github.repository} has no run {number}. Its address ends in its id.")
    return run


def workflow(run: dict[str, Any]) -> str:
    """Return the file of a run's workflow, because a workflow may give itself any name."""
    return run["path"].partition("@")[0]


def home(run: dict[str, Any]) -> str:
    """Return the repository that a run's code came from."""
    return (run.get("head_repository") or {}).get("full_name", "a deleted fork")


def read(github: GitHub, number: int, name: str, files: Iterable[str]) -> dict[str, Any]:
    """Return JSON files of an artifact; raises Refused for unexpected content."""
    artifacts = [a for a in github.get_all(f"actions/runs/{number}/artifacts") if a["name"] == name]
    # Each attempt of a run has an artifact of this name.
    newest = max(artifacts, key=lambda artifact: artifact["id"], default=None)
    if newest is None or newest["expired"]:
        raise Refused(
            f"run {number} has no artifact {name!r}: the run ended before that, or it expired."
        )
    packed = github.download(f"actions/artifacts/{newest['id']}/zip", MOST_PACKED)
    if packed is None:
        text = f"the artifact {name!r} of run {number} has over {MOST_PACKED:,} bytes."
        raise Refused(text)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            return {file: _read(archive, file) for file in files}
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError) as error:
        raise Refused(f"the artifact of run {number} cannot be unpacked: {error}.") from None


def _read(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        with archive.open(name) as file:
            # The archive may declare a wrong size.
            content = file.read(MOST_BYTES + 1)
    except KeyError:
        raise Refused(f"the artifact holds no {name}.") from None
    if len(content) > MOST_BYTES:
        raise Refused(f"{name} in the artifact has more than {MOST_BYTES:,} bytes.")
    try:
        return json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} in the artifact is no JSON: {str(error)[:100]}.") from None


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
