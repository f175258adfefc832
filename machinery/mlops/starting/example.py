"""Which files are still the template's example: example.sha256 has the digest of each.

`make release` renews it.
"""

import hashlib
from pathlib import Path

DIGESTS = Path(__file__).with_name("example.sha256")
FOLDERS = ("data", "model", "tests/data", "tests/model")
FILES = ("params.yaml", "README.md")


def recorded() -> dict[str, str]:
    """Return the digest of each file of the example, by its path."""
    lines = DIGESTS.read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def present() -> dict[str, str]:
    """Return the digest of each file here that is in a place of the example's."""
    paths = [Path(name) for name in FILES]
    for folder in FOLDERS:
        paths += [path for path in Path(folder).rglob("*") if "__pycache__" not in path.parts]
    return {
        path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if path.is_file()
    }


def text() -> str:
    """Return the content of example.sha256 for the files here."""
    return "".join(f"{digest}  {path}\n" for path, digest in present().items())
