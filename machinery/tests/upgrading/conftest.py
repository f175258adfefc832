"""A released machinery on loopback, and forks of it with the regression of machinery/tests/fork."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from machinery.tests.forks import give_free_ports
from machinery.tests.workflows.conftest import nothing  # pylint: disable=unused-import
from machinery.tests.workflows.repositories import Repository, begin, copy
from mlops import __version__

NAME = "acme/template"
WHEEL = f"mlops_machinery-{__version__}-py3-none-any.whl"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):  # pylint: disable=arguments-differ
        """Print nothing."""


@dataclass
class Released:
    """The machinery's own repository at a release, and the address of its wheel."""

    repository: Repository
    commit: str
    folder: Path
    url: str

    @property
    def name(self) -> str:
        """What UPSTREAM is."""
        return f"{NAME}@{self.commit}"

    @property
    def wheel(self) -> str:
        """The address of the wheel."""
        return f"{self.url}/{WHEEL}"


@dataclass
class Fork:
    """A fork of it, in which make runs as on a machine of its own."""

    repository: Repository
    released: Released

    @property
    def folder(self) -> Path:
        """The clone."""
        return self.repository.folder

    def make(self, *arguments: str, venv: str = "", **more: str) -> subprocess.CompletedProcess:
        """Run make; without an environment named, in the one that the fork makes for itself."""
        return subprocess.run(
            ["make", "--no-print-directory", *arguments, *([f"VENV={venv}"] if venv else [])],
            cwd=self.folder,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a shell has there: the system's programs, and the packages uv has."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("UV_", "PIP_", "SSL_"))}
        cache = {"UV_CACHE_DIR": kept.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))}
        # A Python that has packages of its own, as a person's has.
        path = f"{Path(sys.base_prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        ours = {"PATH": path, "OMP_NUM_THREADS": "1"}
        return self.repository.environment(**kept | cache | ours | more)

    def thin(self, **given: str) -> subprocess.CompletedProcess:
        """Run `make thin`, with what is given in place of what is right."""
        right = {
            "UPSTREAM": self.released.name,
            "WHEEL": self.released.wheel,
            "FROM": str(self.released.repository.folder),
        }
        arguments = (f"{name}={value}" for name, value in (right | given).items())
        return self.make("thin", *arguments, venv=sys.prefix)

    def tree(self) -> str:
        """Return the id of what is staged, after everything is."""
        self.repository.git("add", "--all")
        return self.repository.git("write-tree")

    def take_free_ports(self) -> None:
        """Let every environment have a port that nobody uses."""
        give_free_ports(self.folder)

    def commit(self, message: str) -> None:
        """Commit everything and push it."""
        self.repository.commit(message)


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """The machinery of this tree as its own repository released it, with its wheel on loopback."""
    home = tmp_path_factory.mktemp("released")
    repository = begin(home / "home")
    commit = repository.git("rev-parse", "HEAD")
    folder = home / "served"
    uv = str(Path(sys.prefix) / "bin/uv")
    build = [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), "machinery"]
    subprocess.run(build, cwd=repository.folder, check=True)
    handler = partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Released(repository, commit, folder, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def fork(released, tmp_path):
    """A fork with the machinery in its tree."""
    return Fork(copy(released.repository, tmp_path / "home"), released)


@pytest.fixture(scope="module")
def thin(released, tmp_path_factory):
    """A thin fork with an environment that it made for itself."""
    made = Fork(copy(released.repository, tmp_path_factory.mktemp("thin") / "home"), released)
    # The checks of `make check` are the real ones; those of the seed are a part of them.
    shutil.copy(".pre-commit-config.yaml", made.folder)
    made.take_free_ports()
    made.commit("Check as everybody does, on ports of its own")
    done = made.thin()
    assert done.returncode == 0, done.stdout + done.stderr
    made.commit("Install the machinery")
    done = made.make("setup")
    assert done.returncode == 0, done.stdout + done.stderr
    yield made
    made.make("down")
