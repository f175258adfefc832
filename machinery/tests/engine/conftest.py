"""A real Docker engine, a real registry, and a fork whose release has an image in the registry."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from machinery.tests.engine import engines
from machinery.tests.engine.engines import docker
from machinery.tests.forks import MACHINERY, ROOT, Fork, copy
from machinery.tests.waiting import wait_for
from mlops.releases.release import read_release
from mlops.serving import client

CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""


def pytest_collection_modifyitems(items):
    """Mark all tests of this folder: they need an engine or a registry."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("engine")
            item.add_marker("slow")


def _skip(reason):
    if os.environ.get("MLOPS_TESTS_COMPLETE"):
        pytest.fail(f"{reason}, and MLOPS_TESTS_COMPLETE lets nothing be left out")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine():
    """A Docker engine: a running one, which is left running, or one of our own."""
    original = {name: os.environ.get(name) for name in ("DOCKER_HOST", "PATH")}
    with ExitStack() as stack:
        problem = engines.engine_problem()
        if problem:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="mlops-engine.", dir=engines.data_folder())
            )
            problem = stack.enter_context(engines.started(Path(folder)))
        problem = problem or engines.use_a_client_that_builds() or engines.provide_base_images()
        if problem:
            _skip(problem)
        yield
    for name, value in original.items():
        os.environ.pop(name, None)
        os.environ.update({name: value} if value is not None else {})


class Registry:
    """A registry on this machine: its address, and its folder on the disk."""

    def __init__(self, host, folder):
        self.host, self.folder = host, folder

    def blob(self, digest):
        """The file that holds the bytes of a digest."""
        name = digest.removeprefix("sha256:")
        return self.folder / f"data/docker/registry/v2/blobs/sha256/{name[:2]}/{name}/data"


@contextmanager
def _serving(folder, auth=""):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=port, auth=auth))
    command = ["docker-registry", "serve", folder / "config.yml"]
    with (folder / "log").open("w") as log:
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            address = f"127.0.0.1:{port}"
            try:
                wait_for(
                    lambda: process.poll() is not None or _answers(address),
                    (folder / "log").read_text,
                )
                yield Registry(address, folder)
            finally:
                process.terminate()


def _answers(address):
    try:
        return httpx.get(f"http://{address}/v2/", trust_env=False).status_code in (200, 401)
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def new_registry(needs, tmp_path_factory):
    """A function that starts a registry, open or with a password; all stop at the end."""
    needs("docker-registry", "docker-registry")
    with ExitStack() as stack:
        yield lambda auth="": stack.enter_context(
            _serving(tmp_path_factory.mktemp("registry"), auth)
        )


@pytest.fixture(scope="session")
def registry(new_registry):
    """The registry that the tests share."""
    return new_registry()


@pytest.fixture(scope="session")
def clean(engine, registry):  # pylint: disable=unused-argument  # it must live as long
    """Remove the tests' containers and images from an engine that existed before."""
    yield
    for kind, column in (("container", "{{.ID}}"), ("image", "{{.Repository}}:{{.Tag}}")):
        listed = docker(kind, "ls", "--all", "--format", f"{column} {{{{.}}}}").splitlines()
        ours = [line.split()[0] for line in listed if registry.host in line]
        if ours:
            docker(kind, "rm", "--force", *ours, check=False)


class ImageFork(Fork):
    """A fork whose steps can run with other variables."""

    @contextmanager
    def with_variables(self, **variables):
        """Run steps with these variables; restores the variables and the release afterwards."""
        before, release = self.environment, self.folder / "build/release.yaml"
        sealed = release.read_bytes()
        self.environment = before | variables
        try:
            yield
        finally:
            self.environment = before
            release.write_bytes(sealed)


BUILD = ("check-data", "train", "evaluate", "report", "gate", "package", "image")


@pytest.fixture(scope="session")
def fork(clean, registry, tmp_path_factory):  # pylint: disable=unused-argument
    """The fork of machinery/tests, whose dev runs containers; its first release is not promoted."""
    image_fork = ImageFork(tmp_path_factory.mktemp("fork"))
    copy(MACHINERY, image_fork.folder)
    shutil.copytree(ROOT / "machinery/tests/fork", image_fork.folder, dirs_exist_ok=True)
    image_fork.environment |= {
        "MLOPS_REGISTRY": f"{registry.host}/acme/fares",
        "MLOPS_STORE": f"oci://{registry.host}/acme/fares",
    }
    image_fork.begin()
    image_fork.edit("environments/dev/settings.yaml", "target: local", "target: docker")
    image_fork.mlops(*BUILD)
    yield image_fork
    image_fork.mlops("down")


@pytest.fixture(scope="session")
def built(fork):
    """The first release, with its image."""
    return read_release(fork.folder / "build/release.yaml")


@pytest.fixture
def container(built):
    """A function that starts the release's image in its cage; all containers go at the end."""
    started = []

    def run(*options, ref=built.promoted.image.ref):
        cage = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--publish=127.0.0.1::3000")
        name = docker("run", "--detach", *cage, *options, ref)
        started.append(name)
        url = f"http://{docker('port', name, '3000/tcp')}"
        wait_for(lambda: client.ready(url), lambda: docker("logs", name))
        return name, url

    yield run
    if started:
        docker("rm", "--force", "--volumes", *started)
