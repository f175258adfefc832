"""The container engine of this machine, through the command that everybody has: docker."""

import json
import os
import subprocess
from typing import Any

from mlops.errors import UserError

LINES = 20
# In lower case, of clients from 20.10 to 29.
UNREACHABLE = (
    "cannot connect to the docker daemon",
    "failed to connect to the docker api",
    "error during connect",
)


def docker(*words: str, what: str, timeout: float | None = None) -> str:
    """Run docker and return what it printed; raises UserError that says what could not be done."""
    done = attempt(*words, timeout=timeout)
    if done.returncode:
        raise UserError(f"{what}: {reason(done.stderr or done.stdout)}")
    return done.stdout.strip()


def attempt(*words: str, timeout: float | None = None) -> subprocess.CompletedProcess:
    """Run docker, well or not; raises UserError only where there is no engine to ask."""
    try:
        done = subprocess.run(
            ["docker", *words],
            # The Dockerfile needs it; older engines must be told.
            env={**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
    except FileNotFoundError:
        raise UserError(
            "docker is not installed, and images are built and run with it. Install it "
            "(https://docs.docker.com/engine/install), or use the target `local`, which needs none."
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"docker {words[0]} has not ended after {timeout:g} s.") from None
    _require_daemon(done)
    return done


def reason(printed: str) -> str:
    """Return the end of what docker printed, where it says what went wrong."""
    lines = [line for line in printed.splitlines() if line.strip()]
    return "\n  ".join(["", *lines[-LINES:]]) if len(lines) > 1 else "".join(lines)


def image(reference: str) -> dict[str, Any] | None:
    """Return what the engine knows of an image that it holds, None where it does not hold it."""
    return _inspect("image", reference)


def container(name: str) -> dict[str, Any] | None:
    """Return what the engine knows of a container, None where there is none of this name."""
    return _inspect("container", name)


def _inspect(kind: str, name: str) -> dict[str, Any] | None:
    done = attempt(kind, "inspect", name)
    if done.returncode == 0:
        return json.loads(done.stdout)[0]
    if "no such" in done.stderr.lower():
        return None
    raise UserError(f"docker {kind} inspect {name}: {reason(done.stderr)}")


def _require_daemon(done: subprocess.CompletedProcess) -> None:
    words = done.stderr.lower() if done.returncode else ""
    if "permission denied" in words and ("docker daemon" in words or "docker api" in words):
        raise UserError(
            "The Docker daemon does not let you in. Join its group (`sudo usermod -aG docker "
            "$USER`, then log in again), or use rootless Docker."
        )
    if any(said in words for said in UNREACHABLE):
        where = os.environ.get("DOCKER_HOST", "its usual socket")
        raise UserError(
            f"No Docker daemon answers at {where}. Start it (`sudo systemctl start docker`, or "
            "Docker Desktop), or name another with DOCKER_HOST."
        )
