"""Update keys, lock and schema in the worktree with the code of the newer machinery."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from mlops.errors import UserError

# Variables of the calling make that must not reach the makes that are started here.
_CALLER_VARIABLES = (
    *("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"),
    *("ARGS", "ENV", "TO", "REASON", "RUN", "VERSION", "REF", "FROM", "WAS", "DRY", "VENV"),
)
_ROOT, _MACHINERY = "pyproject.toml", "machinery/pyproject.toml"
_LOCKS = ("requirements.txt", "requirements-serve.txt")


def migrate(tree: Path, code: Path, after: str) -> list[str]:
    """Apply the renames of keys after a version and return them; raises UserError.

    `code` is the folder of the newer package.
    """
    environment = _environment() | {"PYTHONPATH": str(code.absolute())}
    command = [sys.executable, "-m", "mlops.upgrading.migrations", after or "0"]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(done.stderr.strip().removeprefix("error: ") or done.stdout.strip())
    return done.stdout.splitlines()


def locked_from(folder: Path) -> dict[str, Any]:
    """Return the inputs of the lock: the dependencies of the team and of the machinery."""
    root, machinery = (_toml(folder / name) for name in (_ROOT, _MACHINERY))
    project = machinery.get("project", {})
    return {
        "root": {
            key: root.get("project", {}).get(key) for key in ("requires-python", "dependencies")
        },
        "optional": root.get("project", {}).get("optional-dependencies"),
        "groups": root.get("dependency-groups"),
        "uv": root.get("tool", {}).get("uv"),
        "machinery": [project.get(key) for key in ("dependencies", "optional-dependencies")],
    }


def _toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable as TOML: {error}. Mend it and commit.") from None


def is_locked(tree: Path) -> bool:
    """Return whether both lock files exist."""
    return all((tree / name).exists() for name in _LOCKS)


def pins(folder: Path) -> set[str]:
    """Return the pins of a lock without comments and hashes."""
    lines = (folder / _LOCKS[0]).read_text(encoding="utf-8").splitlines()
    return {line.rstrip(" \\") for line in lines if line and line[0] not in " #-"}


def make(tree: Path, *arguments: str, venv: Path | None = None) -> int:
    """Run make in the worktree with its output shown, and return its exit code.

    Without `venv`, make creates an environment in the worktree from its lock.
    """
    named = [f"VENV={venv}"] if venv else []
    command = ["make", "--no-print-directory", *arguments, *named]
    return subprocess.run(command, cwd=tree, env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in _CALLER_VARIABLES}
