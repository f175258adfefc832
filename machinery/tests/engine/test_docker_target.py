"""The Docker target deploys by digest, without failed requests, and rolls back in seconds."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir

import httpx
import pytest

from machinery.tests.engine.conftest import BUILD, ImageFork
from machinery.tests.engine.engines import docker
from machinery.tests.targets.conftest import Client
from machinery.tests.waiting import HANG_SECONDS, wait_for
from mlops.container.registry import OciRepository
from mlops.releases import environments
from mlops.releases.release import read_release
from mlops.serving import client
from mlops.targets import docker as target


class Dev:
    """The environment dev of the fork, and its containers."""

    def __init__(self, fork):
        self.fork = fork
        self.url = f"http://127.0.0.1:{fork.port('dev')}"

    def run(self, *arguments, check=True, **options):
        """Run a step for dev."""
        return self.fork.mlops(*arguments, "--env", "dev", check=check, **options)

    @property
    def served(self):
        """The release that answers."""
        return client.served_release(self.url, HANG_SECONDS)

    @property
    def containers(self):
        """Name and state of every container of dev."""
        label = f"label=mlops.place={self.fork.folder / 'build/live/dev'}"
        lines = docker("ps", "--all", f"--filter={label}", "--format={{.Names}} {{.State}}")
        return dict(line.split() for line in lines.splitlines())

    @property
    def live(self):
        """The engine's description of the only running container."""
        (name,) = [name for name, state in self.containers.items() if state == "running"]
        return json.loads(docker("inspect", name))[0]


@pytest.fixture(scope="module")
def dev(fork, built, tmp_path_factory):
    """The first release, served from a clone that these tests change."""
    clone = ImageFork(tmp_path_factory.mktemp("dev") / "fork")
    shutil.copytree(fork.folder, clone.folder, symlinks=True)
    clone.environment = fork.environment
    environment = Dev(clone)
    environment.run("promote", "deploy")
    assert environment.served == built.release_id
    yield environment
    clone.mlops("down")


@pytest.fixture(scope="module")
def second(dev):
    """Another release, built and promoted to dev, not deployed yet."""
    dev.fork.edit("params.yaml", "{ridge: 0.5}", "{ridge: 0.6}")
    dev.fork.mlops(*BUILD)
    dev.run("promote")
    return read_release(dev.fork.folder / "build/release.yaml")


def test_it_runs_caged_and_by_digest(dev, built):
    """It runs without root, read-only, without capabilities, from the image the release pins."""
    container = dev.live
    assert container["Config"]["Image"] == built.promoted.image.ref
    assert container["Config"]["User"] not in ("", "0", "0:0", "root")
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PortBindings"]["3000/tcp"][0]["HostIp"] == "127.0.0.1"


def test_deploying_the_live_release_changes_nothing(dev, built):
    """The container is verified and not replaced."""
    before = dev.live["Id"]
    assert f"dev serves {built.release_id} already" in dev.run("deploy").stdout
    assert dev.live["Id"] == before


def test_its_predictions_are_logged_where_monitor_looks(dev):
    """The log is in the same folder as that of the local target."""
    document = httpx.get(f"{dev.url}/docs.json", trust_env=False).json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    answer = httpx.post(f"{dev.url}/predict", json=body["example"], trust_env=False).json()
    identity = answer["predictions"][0]["id"]
    folder = dev.fork.folder / "build/live/dev/predictions"
    wait_for(
        lambda: any(identity in path.read_text() for path in folder.glob("*.jsonl")),
        lambda: f"{identity} is not in {list(folder.iterdir())}",
    )


def test_no_request_fails_during_a_switch(dev, built, second):
    """Old and new connections work; the earlier container is stopped and not removed."""
    clients = [Client(dev.url, keep) for keep in (True, False)]
    for client in clients:
        client.start()
    dev.run("deploy")
    problems = [client.end().problems for client in clients]
    assert problems == [[], []]
    assert dev.served == second.release_id
    states = {name.split(".")[0]: state for name, state in dev.containers.items()}
    assert states == {built.release_id: "exited", second.release_id: "running"}


def test_a_rollback_starts_the_earlier_container_without_the_registry(dev, built, second):
    """It is not created again, so a rollback takes seconds; the registry may be gone."""
    dev.run("rollback", "--reason", "shown in a test")
    (earlier,) = [name for name, state in dev.containers.items() if state == "exited"]
    earlier_id = docker("inspect", "--format={{.Id}}", earlier)
    docker("rmi", "--no-prune", built.promoted.image.ref, check=False)
    dev.run("deploy")
    assert dev.served == built.release_id and second.release_id != built.release_id
    assert dev.live["Id"] == earlier_id
    # The tests below seal the same model anew.
    quarantine = "environments/quarantine.yaml"
    dev.fork.edit(quarantine, "modelDigest:", "modelMayReturn: true\n  modelDigest:")


@pytest.mark.parametrize("died", ["container", "proxy"])
def test_a_dead_container_or_proxy_is_started_again(dev, built, died):
    """Another deployment of the same release starts it."""
    if died == "container":
        docker("update", "--restart=no", dev.live["Id"])
        docker("kill", dev.live["Id"])
    else:
        subprocess.run(["pkill", "-9", "-f", f"proxy.py {dev.fork.folder}"], check=True)
    dev.run("deploy")
    assert dev.served == built.release_id


def test_limits_are_those_of_the_settings(dev, built):
    """They take effect with the next deploy."""
    dev.fork.edit("environments/dev/settings.yaml", "workers: 1", LIMITS)
    dev.run("deploy")
    host = dev.live["HostConfig"]
    assert (host["NanoCpus"], host["Memory"]) == (1_500_000_000, 768 * 2**20)
    assert dev.served == built.release_id


LIMITS = "workers: 1\ndocker: {cpus: 1.5, memory: 768Mi}"


# Another image under the release's name, sealed anew, as anybody with write access could.
SEALED = """
import sys
from mlops.paths import RELEASE
from mlops.releases.release import Image, Proof, new_release, read_release, write_release
release = read_release()
promoted = release.promoted.model_copy(update={"image": Image(ref=sys.argv[1], platform="linux/amd64")})
proofs = [Proof(**proof.model_dump(exclude={"release_id"})) for proof in release.spec.evidence]
write_release(RELEASE, new_release(promoted, proofs))
"""


@pytest.fixture
def refused(dev, registry, tmp_path):
    """A function that deploys the newest release with another image; returns the refusal.

    The other image is the release's own with more lines in its Dockerfile.
    """

    def deploy(lines=None):
        built = read_release(dev.fork.folder / "build/release.yaml")
        ref = f"{registry.host}/acme/fares@sha256:{'0' * 64}"
        if lines is not None:
            (tmp_path / "Dockerfile").write_text(f"FROM {built.promoted.image.ref}\n{lines}\n")
            name = f"{registry.host}/acme/fares:other"
            docker(
                "build",
                "--quiet",
                f"--tag={name}",
                str(tmp_path),
                env={**os.environ, "DOCKER_BUILDKIT": "1"},
            )
            docker("push", "--quiet", name)
            digest = OciRepository(f"{registry.host}/acme/fares").manifest("other").digest
            ref = f"{registry.host}/acme/fares@{digest}"
        with dev.fork.with_variables():
            command = [sys.executable, "-c", SEALED, ref]
            subprocess.run(command, cwd=dev.fork.folder, env=dev.fork.environment, check=True)
            dev.run("promote")
        before = dev.served
        done = dev.run("deploy", check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        assert before and dev.served == before and f"{before} keeps serving" in done.stderr
        assert list(dev.containers.values()).count("running") == 1
        return done.stderr

    return deploy


def test_an_image_of_another_commit_is_refused(refused):
    """Its label names the commit, and the image never runs."""
    errors = refused(f"LABEL org.opencontainers.image.revision={'1' * 40}")
    assert "is not the image of this release" in errors and "1111, not" in errors


def test_an_image_of_another_model_is_refused(refused):
    """Its label names the model."""
    assert "mlops.model.digest is other, not" in refused("LABEL mlops.model.digest=other")


def test_an_image_with_false_labels_is_refused(refused):
    """The labels are right, but the service in it reports another release."""
    lines = 'ENTRYPOINT ["/venv/bin/python", "-c", "{}"]'.format(OTHER_SERVICE.replace("\n", "\\n"))
    assert "the service reports" in refused(f"{lines}\nCMD []")


OTHER_SERVICE = """import http.server as h
class A(h.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{}')
h.HTTPServer(('', 3000), A).serve_forever()
"""


def test_a_start_that_fails_shows_the_end_of_its_log(refused):
    """The earlier release keeps serving."""
    errors = refused('ENTRYPOINT ["/venv/bin/python", "-c", "raise SystemExit(\'no such model\')"]')
    assert "ended while it started" in errors and "no such model" in errors


def test_a_missing_digest_is_refused(refused):
    """The registry lacks the image."""
    assert re.search("cannot be pulled: .*(not found|manifest unknown)", refused())


def test_a_release_without_an_image_is_an_error(dev):
    """The error names the step to run, and nothing is changed."""
    with dev.fork.with_variables(MLOPS_REGISTRY=""):
        dev.fork.mlops("package")
        dev.run("promote")
    done = dev.run("deploy", check=False)
    assert done.returncode == 2 and "names no image" in done.stderr and "make image" in done.stderr


KILLED = """
import os, signal, sys
from mlops import cli
from mlops.container import engine
from mlops.targets import docker, switch
owners = {"create": (engine, "docker"), "verify": (switch, "verify")}
owner, name = owners.get(sys.argv[1], (docker.ContainerDeployment, sys.argv[1]))
original = getattr(owner, name)
def dying(*arguments, **options):
    answer = original(*arguments, **options)
    if sys.argv[1] in (name, *arguments):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
setattr(owner, name, dying)
sys.exit(cli.main(sys.argv[2:]))
"""


def test_killed_at_any_moment_it_converges(dev, second):
    """After a kill between any two steps a release serves, and a second run finishes the switch."""
    dev.fork.edit("params.yaml", "{ridge: 0.6}", "{ridge: 0.7}")
    dev.fork.mlops(*BUILD)
    dev.run("promote")
    new = read_release(dev.fork.folder / "build/release.yaml").release_id
    before = dev.served
    for moment in ("create", "start", "await_ready", "verify", "clean_up"):
        command = [sys.executable, "-c", KILLED, moment, "deploy", "--env", "dev"]
        done = subprocess.run(
            command, cwd=dev.fork.folder, env=dev.fork.environment, capture_output=True, check=False
        )
        assert done.returncode == -9, (moment, done.stdout + done.stderr)
        assert dev.served in (before, new)
    dev.run("deploy")
    assert dev.served == new != second.release_id
    assert sorted(dev.containers.values()) == ["exited", "running"]


def test_down_stops_all(dev):
    """It removes the stopped container too; no container of dev is left."""
    assert "dev: stopped" in dev.fork.mlops("down").stdout
    assert dev.containers == {} and dev.served is None
    with chdir(dev.fork.folder):
        assert target.stop(environments.environment("dev")) is False
