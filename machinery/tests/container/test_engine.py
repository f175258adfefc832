"""The errors for a Docker daemon that is down or denies access, in all versions of the client."""

import pytest

from mlops.container import engine
from mlops.errors import UserError

SOCKET = "unix:///run/docker.sock"
DOWN = (
    f"Cannot connect to the Docker daemon at {SOCKET}. Is the docker daemon running?",
    # The error of a build: with 20.10, then with buildx.
    "failed to dial gRPC: cannot connect to the Docker daemon. Is 'docker daemon' running on this "
    "host?: dial tcp 127.0.0.1:9: connect: connection refused",
    f"ERROR: failed to connect to the docker API at {SOCKET}; check if the path is correct and if "
    "the daemon is running: dial unix /run/docker.sock: connect: no such file or directory",
    'error during connect: Get "http://docker.example.com/_ping": command [ssh -- nowhere docker '
    "system dial-stdio] has exited with exit status 255, make sure the URL is valid",
)
DENIED = (
    f"permission denied while trying to connect to the Docker daemon socket at {SOCKET}: "
    "dial unix /run/docker.sock: connect: permission denied",
    "failed to dial gRPC: cannot connect to the Docker daemon. Is 'docker daemon' running on this "
    "host?: dial unix /run/docker.sock: connect: permission denied",
    f"ERROR: permission denied while trying to connect to the docker API at {SOCKET}",
)


@pytest.fixture(name="docker_that")
def _docker_that(tmp_path, monkeypatch):
    """Installs a fake docker that prints an error and fails."""

    def fails_with(error):
        (tmp_path / "docker").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{error}\nEND\nexit 1\n")
        (tmp_path / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("DOCKER_HOST", SOCKET)

    return fails_with


@pytest.mark.parametrize("error", DOWN)
def test_a_daemon_that_is_down_is_an_error(docker_that, error):
    """The error names the socket and the command that starts a daemon."""
    docker_that(error)
    with pytest.raises(UserError, match=f"No Docker daemon answers at {SOCKET}. Start it"):
        engine.image("any")


@pytest.mark.parametrize("error", DENIED)
def test_denied_access_is_an_error(docker_that, error):
    """The error names the group to join, and does not ask to start a daemon."""
    docker_that(error)
    with pytest.raises(UserError, match="denies you access. Join its group"):
        engine.docker("build", ".", what="not built")


def test_a_denied_permission_within_a_build_is_a_build_error(docker_that):
    """The message holds docker's own error."""
    docker_that('ERROR: process "/bin/sh -c chroot ." did not complete: permission denied')
    with pytest.raises(UserError, match="not built: .*chroot"):
        engine.docker("build", ".", what="not built")
