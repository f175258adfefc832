"""A real Docker engine, a real registry, and a fork whose release is an image in it."""

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
from machinery.tests.forks import MACHINERY, ROOT, Fork, _copy
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
    """Everything in this folder needs an engine or a registry."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("engine")
            item.add_marker("slow")


def _leave_out(why):
    if os.environ.get("MLOPS_TESTS_COMPLETE"):
        pytest.fail(f"{why}, and MLOPS_TESTS_COMPLETE lets nothing be left out")
    pytest.skip(why)


@pytest.fixture(scope="session")
def engine():
    """A Docker engine: the one that answers, which is left running, or one of our own."""
    kept = {name: os.environ.get(name) for name in ("DOCKER_HOST", "PATH")}
    with ExitStack() as stack:
        why = engines.why_none()
        if why:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="mlops-engine.", dir=engines.place())
            )
            why = stack.enter_context(engines.started(Path(folder)))
        why = why or engines.use_a_client_that_builds() or engines.have_base()
        if why:
            _leave_out(why)
        yield
    for name, value in kept.items():
        os.environ.pop(name, None)
        os.environ.update({name: value} if value is not None else {})


class Registry:
    """A registry on this machine: where it is, and what it keeps on the disk."""

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
    """Starts another registry, open or with a password; all are stopped in the end."""
    needs("docker-registry", "docker-registry")
    with ExitStack() as stack:
        yield lambda auth="": stack.enter_context(
            _serving(tmp_path_factory.mktemp("registry"), auth)
        )


@pytest.fixture(scope="session")
def registry(new_registry):
    """The registry that things are pushed to."""
    return new_registry()


@pytest.fixture(scope="session")
def clean(engine, registry):  # pylint: disable=unused-argument  # it must live as long
    """Removes from the engine what the tests put there; their own engine goes anyway."""
    yield
    for kind, column in (("container", "{{.ID}}"), ("image", "{{.Repository}}:{{.Tag}}")):
        listed = docker(kind, "ls", "--all", "--format", f"{column} {{{{.}}}}").splitlines()
        ours = [line.split()[0] for line in listed if registry.host in line]
        if ours:
            docker(kind, "rm", "--force", *ours, check=False)


class ImageFork(Fork):
    """A fork whose steps can be given other variables for a while."""

    @contextmanager
    def given(self, **variables):
        """Run steps with these; build/ is restored after."""
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
    made = ImageFork(tmp_path_factory.mktemp("fork"))
    _copy(MACHINERY, made.folder)
    shutil.copytree(ROOT / "machinery/tests/fork", made.folder, dirs_exist_ok=True)
    made.environment |= {
        "MLOPS_REGISTRY": f"{registry.host}/acme/fares",
        "MLOPS_STORE": f"oci://{registry.host}/acme/fares",
    }
    made.begin()
    made.edit("environments/dev/settings.yaml", "target: local", "target: docker")
    made.mlops(*BUILD)
    yield made
    made.mlops("down")


@pytest.fixture(scope="session")
def built(fork):
    """The first release, with its image."""
    return read_release(fork.folder / "build/release.yaml")


@pytest.fixture
def container(built):
    """Starts the release's image as it should run, and removes what ran in the end."""
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
