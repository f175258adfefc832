"""Whose a path is: the machinery's, which an upgrade replaces, or merged, or the team's alone.

The machinery of copies made before 1.0.0 was spread over the root; here its paths are today's.
"""

from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from mlops.upgrading import manifest
from mlops.upgrading.trees import Entry, Tree

# Folders and files of before 1.0.0, and where their content is now; the first that fits counts.
MOVED = {
    "mlops": "machinery/mlops",
    "benchmarks": "machinery/benchmarks",
    "docs": "machinery/docs",
    "tests/mlops/conftest.py": "machinery/tests/mlops/conftest.py",  # two have become one
    "tests/mlops": "machinery/tests",
    "tests/github": "machinery/tests/github",
    "tests/workflows": "machinery/tests/workflows",
    "tests/engine": "machinery/tests/engine",
    "tests/monitoring": "machinery/tests/monitoring",
    "tests/docs": "machinery/tests/docs",
    "tests/conftest.py": "machinery/tests/conftest.py",
}
# A team's own files may lie beside the template's in these folders of before 1.0.0.
_OPEN = ("docs/", "tests/")
# What the template brings and a team may edit: merged, where upstream changed it.
MERGED = (
    ".github/*",
    ".ci/*",
    ".gitignore",
    ".pre-commit-config.yaml",
    "Dockerfile",
    "Makefile",
    "pyproject.toml",
)
# Files in those folders that say who and where the team is.
_OURS = (".github/CODEOWNERS", ".github/python-version", ".github/upstream.yaml")
# No release says what is in it: it is the list of the others.
RELEASE = manifest.MANIFEST.as_posix()
PACKAGE = "machinery/mlops"


def is_machinery(path: str) -> bool:
    """Return whether an upgrade replaces a file: whether a pattern of the manifest names it."""
    return any(_matches(path, pattern) for pattern in manifest.PATTERNS)


def _matches(path: str, pattern: str) -> bool:
    folder, deep, _ = pattern.partition("**/")
    if deep:
        return path.startswith(folder)
    same_depth = len(PurePosixPath(path).parts) == len(PurePosixPath(pattern).parts)
    return same_depth and fnmatchcase(path, pattern)


def is_merged(path: str) -> bool:
    """Return whether a file is the template's and the team's together."""
    if is_machinery(path) or path in _OURS:
        return False
    return any(fnmatchcase(path, pattern) for pattern in MERGED)


def is_spread(tree: Tree) -> bool:
    """Return whether a tree is of before 1.0.0, with its machinery at the root."""
    return "mlops/__main__.py" in tree.entries and not is_in_folder(tree)


def is_in_folder(tree: Tree) -> bool:
    """Return whether the machinery is part of a tree, as a folder."""
    return f"{PACKAGE}/__init__.py" in tree.entries


def machinery(tree: Tree, base: Tree) -> dict[str, str]:
    """Return the paths of the machinery's files as they are today, each with its path in `tree`.

    `base` is the release that a fork has: what it did not bring to an old folder is the team's.
    """
    if not is_spread(tree):
        return {path: path for path in tree.entries if is_machinery(path)}
    brought = base.entries.keys() if is_spread(base) else ()
    paths = {}
    for path in tree.entries:
        if path.startswith(_OPEN) and path not in brought:
            continue
        today = _today(path)
        if is_machinery(today):
            paths[today] = path
    return paths


def _today(path: str) -> str:
    for old, new in MOVED.items():
        if path == old or path.startswith(f"{old}/"):
            return new + path.removeprefix(old)
    return path


def entries(tree: Tree, paths: dict[str, str]) -> dict[str, Entry]:
    """Return the entries of a tree by the paths of today."""
    return {today: tree.entries[path] for today, path in paths.items()}
