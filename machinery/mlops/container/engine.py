"""The container engine of this machine, through the command `docker`."""

import json
import os
import subprocess
from typing import Any

from mlops.errors import UserError

LINES = 20
# Messages of the clients from 20.10 to 29, in lower case.
UNREACHABLE = (
    "cannot connect to the docker daemon",
    "failed to connect to the docker api",
    "error during connect",
)


def docker(*arguments: str, what: str, timeout: float | None = None) -> str:
    """Run docker and return its output; raises UserError with `what` failed, and why."""
    process = attempt(*arguments, timeout=timeout)
    if process.returncode:
        raise UserError(f"{what}: {reason(process.stderr or process.stdout)}")
    return process.stdout.strip()


def attempt(*arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess:
    """Run docker and return the process, failed or not; raises UserError without an engine."""
    try:
        process = subprocess.run(
            ["docker", *arguments],
            # The Dockerfile needs BuildKit, which older engines do not use by default.
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
        raise UserError(
            f"docker {arguments[0]} did not end within {timeout:g} s. Run the step again."
        ) from None
    _require_daemon(process)
    return process


def reason(output: str) -> str:
    """Return the end of docker's output, which holds the error."""
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n  ".join(["", *lines[-LINES:]]) if len(lines) > 1 else "".join(lines)


def image(reference: str) -> dict[str, Any] | None:
    """Return the engine's description of an image, None if the engine lacks it."""
    return _inspect("image", reference)


def container(name: str) -> dict[str, Any] | None:
    """Return the engine's description of a container, None if there is none of this name."""
    return _inspect("container", name)


def _inspect(kind: str, name: str) -> dict[str, Any] | None:
    process = attempt(kind, "inspect", name)
    if process.returncode == 0:
        return json.loads(process.stdout)[0]
    if "no such" in process.stderr.lower():
        return None
    raise UserError(f"docker {kind} inspect {name}: {reason(process.stderr)}")


def _require_daemon(process: subprocess.CompletedProcess) -> None:
    errors = process.stderr.lower() if process.returncode else ""
    if "permission denied" in errors and ("docker daemon" in errors or "docker api" in errors):
        raise UserError(
            "The Docker daemon denies you access. Join its group (`sudo usermod -aG docker "
            "$USER`, then log in again), or use rootless Docker."
        )
    if any(message in errors for message in UNREACHABLE):
        where = os.environ.get("DOCKER_HOST", "its usual socket")
        raise UserError(
            f"No Docker daemon answers at {where}. Start it (`sudo systemctl start docker`, or "
            "Docker Desktop), or name another with DOCKER_HOST."
        )
