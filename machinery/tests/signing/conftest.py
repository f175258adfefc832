"""A clone in which dev demands a signature, with keys and a Sigstore to sign with."""

import json
import shutil
import socket
import subprocess

import httpx
import pytest

from machinery.tests.promotion.conftest import clone, promoted  # pylint: disable=unused-import
from machinery.tests.signing.released import DEMAND, POLICY, package
from machinery.tests.signing.small_sigstore import SmallSigstore
from machinery.tests.waiting import wait_for


@pytest.fixture
def keys(clone, monkeypatch, tmp_path_factory):
    """A function that creates a key with a name and selects it for signing."""

    def make(name):
        file = tmp_path_factory.mktemp("key") / f"{name}.pem"
        monkeypatch.setenv("MLOPS_SIGNING_KEY", str(file))
        answer = clone.mlops("sign", "--new-key", name)
        assert answer.code == 0, answer.text
        clone.git("add", "environments/signers")
        clone.git("commit", "-qm", f"Trust {name}")
        return file

    return make


@pytest.fixture
def demanding(clone, keys, promoted):
    """The clone with a built release and a key `ours`, whose signature dev demands."""
    keys("ours")
    clone.edit(POLICY, "from: build\n", f"from: build\n{DEMAND}")
    package(clone, promoted)
    return clone


@pytest.fixture
def sigstore():
    """A Sigstore on loopback."""
    running = SmallSigstore()
    yield running
    running.stop()


@pytest.fixture
def workflow(clone, sigstore, promoted, monkeypatch, tmp_path_factory):
    """The clone in a workflow that may get an identity; dev demands that identity's signature."""
    event = tmp_path_factory.mktemp("event") / "event.json"
    event.write_text(json.dumps({"repository": {"private": False}}), "utf-8")
    variables = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_RUN_ID": "7",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/release.yml@refs/heads/main",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{sigstore.url}/token?v=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "ask",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    clone.commit("environments/signers/sigstore.json", json.dumps(sigstore.trust()))
    demand = f"signed_by: [{{identity: '{sigstore.identity}'}}]\n"
    clone.edit(POLICY, "from: build\n", f"from: build\n{demand}")
    package(clone, promoted)
    return clone


@pytest.fixture
def registry(tmp_path):
    """The address of a registry on loopback."""
    if not shutil.which("docker-registry"):
        pytest.skip("no docker-registry here (Debian: apt install docker-registry)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "build" / "registry.yml"
    config.parent.mkdir(exist_ok=True)
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "build" / "registry")}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": host}}))
    command = ["docker-registry", "serve", str(config)]
    with subprocess.Popen(command, stdout=-3, stderr=-3) as process:
        try:
            wait_for(lambda: process.poll() is not None or _answers(host))
            assert process.poll() is None
            yield host
        finally:
            process.terminate()


def _answers(host):
    try:
        return httpx.get(f"http://{host}/v2/").is_success
    except httpx.TransportError:
        return False
