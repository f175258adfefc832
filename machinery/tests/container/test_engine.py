"""What docker says when nobody answers or lets in, by its versions, and what of it is told."""

import pytest

from mlops.container import engine
from mlops.errors import UserError

SOCKET = "unix:///run/docker.sock"
NOBODY = (
    f"Cannot connect to the Docker daemon at {SOCKET}. Is the docker daemon running?",
    # A build, of 20.10 and of buildx.
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
    """Makes a docker that prints some words and fails."""

    def says(words):
        (tmp_path / "docker").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 1\n")
        (tmp_path / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("DOCKER_HOST", SOCKET)

    return says


@pytest.mark.parametrize("words", NOBODY)
def test_that_no_daemon_answers_is_told(docker_that, words):
    """With the place where none does, and how to start one."""
    docker_that(words)
    with pytest.raises(UserError, match=f"No Docker daemon answers at {SOCKET}. Start it"):
        engine.image("any")


@pytest.mark.parametrize("words", DENIED)
def test_that_it_lets_nobody_in_is_told(docker_that, words):
    """With the group to join: there is a daemon, and it is not to be started."""
    docker_that(words)
    with pytest.raises(UserError, match="does not let you in. Join its group"):
        engine.docker("build", ".", what="not built")


def test_a_failed_build_that_was_denied_something_is_no_daemon(docker_that):
    """What a step of it may not do is told in docker's own words."""
    docker_that('ERROR: process "/bin/sh -c chroot ." did not complete: permission denied')
    with pytest.raises(UserError, match="not built: .*chroot"):
        engine.docker("build", ".", what="not built")
