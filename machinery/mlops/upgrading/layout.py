"""Who owns a path: the machinery (replaced by an upgrade), both (merged) or the team.

Before 1.0.0 the machinery was spread over the root; these functions return its current paths.
"""

from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from mlops.upgrading import manifest
from mlops.upgrading.trees import Tree, TreeEntry

# Folders and files before 1.0.0 and their current paths; the first match counts.
MOVED = {
    "mlops": "machinery/mlops",
    "benchmarks": "machinery/benchmarks",
    "docs": "machinery/docs",
    "tests/mlops/conftest.py": "machinery/tests/mlops/conftest.py",  # merged into one file
    "tests/mlops": "machinery/tests",
    "tests/github": "machinery/tests/github",
    "tests/workflows": "machinery/tests/workflows",
    "tests/engine": "machinery/tests/engine",
    "tests/monitoring": "machinery/tests/monitoring",
    "tests/docs": "machinery/tests/docs",
    "tests/conftest.py": "machinery/tests/conftest.py",
}
# Before 1.0.0 these folders could hold files of the team beside the template's.
_OPEN = ("docs/", "tests/")
# Files of the template that a team may edit: merged if upstream changed them.
MERGED = (
    ".github/*",
    ".ci/*",
    ".gitignore",
    ".pre-commit-config.yaml",
    "Dockerfile",
    "Makefile",
    "pyproject.toml",
)
# Files in those folders with the team's own names and versions.
_OURS = (".github/CODEOWNERS", ".github/python-version", ".github/upstream.yaml")
# The manifest does not list itself.
RELEASE = manifest.MANIFEST.as_posix()
PACKAGE = "machinery/mlops"


def is_machinery(path: str) -> bool:
    """Return whether a pattern of the manifest matches a file, so that an upgrade replaces it."""
    return any(_matches(path, pattern) for pattern in manifest.PATTERNS)


def _matches(path: str, pattern: str) -> bool:
    folder, deep, _ = pattern.partition("**/")
    if deep:
        return path.startswith(folder)
    same_depth = len(PurePosixPath(path).parts) == len(PurePosixPath(pattern).parts)
    return same_depth and fnmatchcase(path, pattern)


def is_merged(path: str) -> bool:
    """Return whether an upgrade merges a file of the template that a team may edit."""
    if is_machinery(path) or path in _OURS:
        return False
    return any(fnmatchcase(path, pattern) for pattern in MERGED)


def is_spread(tree: Tree) -> bool:
    """Return whether a tree is from before 1.0.0, with its machinery at the root."""
    return "mlops/__main__.py" in tree.entries and not is_in_folder(tree)


def is_in_folder(tree: Tree) -> bool:
    """Return whether a tree has the machinery in its folder."""
    return f"{PACKAGE}/__init__.py" in tree.entries


def machinery(tree: Tree, base: Tree) -> dict[str, str]:
    """Return the current path of each file of the machinery, with its path in `tree`.

    `base` is the release that a fork has: any other file in an old folder belongs to the team.
    """
    if not is_spread(tree):
        return {path: path for path in tree.entries if is_machinery(path)}
    released = base.entries.keys() if is_spread(base) else ()
    paths = {}
    for path in tree.entries:
        if path.startswith(_OPEN) and path not in released:
            continue
        current = _current_path(path)
        if is_machinery(current):
            paths[current] = path
    return paths


def _current_path(path: str) -> str:
    for old, new in MOVED.items():
        if path == old or path.startswith(f"{old}/"):
            return new + path.removeprefix(old)
    return path


def entries(tree: Tree, paths: dict[str, str]) -> dict[str, TreeEntry]:
    """Return the entries of a tree by their current paths."""
    return {current: tree.entries[path] for current, path in paths.items()}
