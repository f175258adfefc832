"""machinery/RELEASE: the version of the machinery and the SHA-256 of each of its files.

`make release` writes it, and `sha256sum --check machinery/RELEASE` reads it. A fork whose
files match it need not run the machinery's own tests: they passed before the release.
Uses the standard library only, because `plan` runs without installed packages.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mlops import PACKAGE, __version__
from mlops.errors import UserError

FOLDER = Path("machinery")
MANIFEST = FOLDER / "RELEASE"
# The files that an upgrade replaces, relative to the repository's root.
PATTERNS = ("machinery/**/*", ".github/actions/**/*", ".github/workflows/reusable-*.yml")
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True)
class Machinery:
    """The machinery that runs here: its version, and how its files differ from that release."""

    version: str
    in_tree: bool
    changed: tuple[str, ...]

    @property
    def as_released(self) -> bool:
        """Whether every file equals that of its release."""
        return not self.changed


def machinery(root: Path = Path()) -> Machinery:
    """Return the machinery of a repository; an installed one is compared with its wheel."""
    if not (root / FOLDER / "mlops").is_dir():
        return Machinery(__version__, False, tuple(_differing_from_wheel()))
    version, released = read(root)
    present = digests(root)
    names = sorted(released.keys() | present.keys())
    changed = tuple(name for name in names if released.get(name) != present.get(name))
    return Machinery(version, True, changed)


def read(root: Path = Path()) -> tuple[str, dict[str, str]]:
    """Return the version and the digest of each file in the manifest; raises UserError."""
    try:
        first, *lines = (root / MANIFEST).read_text(encoding="utf-8").splitlines()
        matches = [_LINE.fullmatch(line) for line in lines]
        return first.removeprefix("# "), {match[2]: match[1] for match in matches}
    except FileNotFoundError:
        # The machinery is in development and was never released.
        return "unreleased", {}
    except (ValueError, TypeError):
        raise UserError(
            f"{MANIFEST} is not readable: a line holds a SHA-256, two blanks and a path. "
            f"Put it back: git checkout HEAD -- {MANIFEST}"
        ) from None


def digests(root: Path = Path()) -> dict[str, str]:
    """Return the SHA-256 of each file of the machinery in the tree, by its path."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in _files(root)
    }


def text(version: str, root: Path = Path()) -> str:
    """Return the manifest of the machinery in the tree."""
    lines = (f"{digest}  {name}" for name, digest in sorted(digests(root).items()))
    return "\n".join((f"# {version}", *lines)) + "\n"


def package_digest() -> str:
    """Return one digest over the files of the package that runs, in the tree or installed."""
    lines = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(PACKAGE).as_posix()}\n"
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def require_as_installed() -> None:
    """Raise UserError if a file of the installed machinery differs from its wheel."""
    if changed := list(_differing_from_wheel()):
        raise UserError(
            f"The installed machinery is not the one that requirements.txt pins: {changed[0]} was "
            f"changed below {PACKAGE.parent}. Install it again: rm -r .venv && make setup"
        )


def _differing_from_wheel() -> Iterator[str]:
    """Yield the files of the installed package that differ from its wheel.

    A package that runs from a folder has no wheel, so nothing is compared.
    """
    try:
        listed = metadata.distribution("mlops-machinery").files or ()
    except metadata.PackageNotFoundError:
        return
    for file in listed:
        path = Path(file.locate())
        if file.hash and path.is_relative_to(PACKAGE) and _hash(path) != file.hash.value:
            yield str(file)


def _hash(path: Path) -> str:
    """Return a file's SHA-256 as a wheel's RECORD writes it, "" if there is no file."""
    if not path.is_file():
        return ""
    return urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()


def _files(root: Path) -> Iterator[Path]:
    for pattern in PATTERNS:
        for path in root.glob(pattern):
            if path.is_file() and path != root / MANIFEST and not _is_cache(path.relative_to(root)):
                yield path


def _is_cache(path: Path) -> bool:
    """Return whether Python, pytest or another tool keeps the file for itself."""
    return any(part == "__pycache__" or part.startswith(".") for part in path.parts[1:])
