"""The image: its content, and its behaviour without privileges."""

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import httpx
import pytest

from benchmarks.image import half_sent, stop
from machinery.tests.engine.conftest import BUILD
from machinery.tests.engine.engines import BASE, docker
from machinery.tests.waiting import wait_for
from mlops.container import images
from mlops.container.registry import OciRepository
from mlops.files import digest_file
from mlops.releases.bundle import unpack
from mlops.releases.release import read_release
from mlops.releases.store import cached

MAX_BYTES = 352e6  # the smallest comparable image we know, with a smaller service


def config(ref):
    """The engine's description of an image."""
    return json.loads(docker("image", "inspect", ref))[0]


@pytest.fixture(scope="module")
def listing(built, tmp_path_factory):
    """The names of all files in the image."""
    container = docker("create", built.promoted.image.ref)
    path = tmp_path_factory.mktemp("image") / "files.tar"
    docker("export", "--output", str(path), container)
    docker("rm", container)
    with tarfile.open(path) as tar:
        return {entry.name: entry for entry in tar}


def rows_and_scores(fork):
    """A few rows of the newest partition, and the scores of the model in process."""
    code = """
import json
from mlops.training import calls, contract, partitions, record
from mlops.gate import parity
columns = contract.columns(contract.params().gate.cluster)
made = record.read_record()
frame = partitions.load(made["data"]["holdout"]["partitions"][-1:]).frame[list(columns.features)]
frame = parity.sample(frame, 20)
scores = calls.predict(contract.team_model().load(record.model_folder(made)), frame)
print(json.dumps([json.loads(frame.to_json(orient="records")), scores.tolist()]))
"""
    command = [sys.executable, "-c", code]
    return json.loads(subprocess.check_output(command, cwd=fork.folder, env=fork.environment))


def test_its_labels_identify_the_release(built):
    """They hold commit, bundle, model and data, which deploy compares."""
    labels, promoted = config(built.promoted.image.ref)["Config"]["Labels"], built.promoted
    assert labels["org.opencontainers.image.revision"] == promoted.source.commit
    assert labels["mlops.releases.bundle.digest"] == promoted.bundle.digest
    assert labels["mlops.model.digest"] == promoted.model.digest
    assert labels["mlops.data.fingerprint"] == promoted.data.fingerprint


def test_its_sbom_lists_all_packages(fork, listing):
    """It lists every distribution of Python and every package of Debian, and no other."""
    fork.mlops("sbom")
    sbom = json.loads((fork.folder / "build/sbom.cdx.json").read_text())
    listed = {"pypi": set(), "deb": set()}
    for part in sbom["components"]:
        kind = re.match("pkg:([a-z]+)/", part.get("purl", ""))
        if kind and kind[1] in listed:
            listed[kind[1]].add((part["name"], part["version"]))
    inside = [re.fullmatch(r"venv/.*/(.+)-(.+)\.dist-info/METADATA", name) for name in listing]
    python = {(_plain(name), version) for name, version in listed["pypi"]}
    assert python == {(_plain(match[1]), match[2]) for match in inside if match}
    debian = {Path(name).name for name in listing if "/dpkg/status.d/" in name}
    assert {name for name, _ in listed["deb"]} == debian and len(debian) > 3


def _plain(name):
    """The normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_same_bundle_gives_the_same_layers(fork, built, tmp_path):
    """A second build without cache, in another folder and with another umask, is equal."""
    archive = fork.folder / cached(built.promoted.bundle.digest)
    folder = unpack(archive, built.promoted.bundle.digest, tmp_path / "bundle")
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)
    file, python = folder / "env/docker/Dockerfile", BASE.split(":")[1].split("-")[0]
    command = ["docker", "build", "--no-cache", "--quiet", "--build-arg", f"PYTHON={python}"]
    built_again = subprocess.check_output(
        [*command, "--file", file, folder],
        env={**fork.environment, "DOCKER_BUILDKIT": "1"},
        text=True,
    ).strip()
    layers = [config(ref)["RootFS"]["Layers"] for ref in (built_again, built.promoted.image.ref)]
    docker("rmi", built_again)
    assert layers[0] == layers[1]


def packed(folder, word):
    """A minimal bundle that holds a word, and its digest."""
    parts = {
        "env/docker/Dockerfile": "FROM scratch\nCOPY . /\n",
        "src/record.json": json.dumps({"environment": {"python": "3.11.0"}, "word": word}),
    }
    path = folder / word
    with tarfile.open(path, "w") as tar:
        for name, text in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return path, digest_file(path)


def test_bundles_of_equal_sizes_and_times_are_two_images(fork, built, tmp_path, monkeypatch):
    """buildx compares only the path, size and time of files that it has."""
    monkeypatch.chdir(fork.folder)
    layers = []
    for word in ("one", "two"):
        path, digest = packed(tmp_path, word)
        bundle = built.promoted.bundle.model_copy(update={"digest": digest})
        images.build(built.promoted.model_copy(update={"bundle": bundle}), path, f"fares-{word}")
        layers.append(config(f"fares-{word}")["RootFS"]["Layers"])
    docker("rmi", "fares-one", "fares-two")
    assert layers[0] != layers[1]


def test_it_holds_no_tool(listing):
    """It has no shell, package manager, compiler or file that only developers need."""
    programs = {
        name.rpartition("/")[2]
        for name, entry in listing.items()
        if entry.isfile() and entry.mode & 0o111
    }
    assert not programs & {"sh", "bash", "dash", "apt", "dpkg", "perl", "pip", "uv", "gcc", "ls"}
    assert not {name for name in listing if "/tests/" in name or name.endswith(".h")}
    assert "var/lib/dpkg/status.d/libc6" in listing


def test_only_tmp_can_be_written(listing):
    """Its user can write nowhere else, even if the file system were writable."""
    writable = {name for name, entry in listing.items() if entry.mode & 0o002 and not entry.issym()}
    assert {name.strip("/") for name in writable if not name.startswith("dev")} == {"tmp"}
    assert {entry.uid for entry in listing.values()} == {0}


def test_it_is_small(listing):
    """The limit is for all unpacked files; newer engines report the packed size."""
    assert sum(entry.size for entry in listing.values()) < MAX_BYTES


def test_it_answers_as_the_model_does_in_process(fork, container):
    """It runs without root, on a read-only file system, without capabilities."""
    rows, expected = rows_and_scores(fork)
    name, url = container()
    answer = httpx.post(f"{url}/predict", json={"rows": rows}, trust_env=False).json()
    assert [one["score"] for one in answer["predictions"]] == pytest.approx(expected, abs=1e-12)
    description = json.loads(docker("inspect", name))[0]
    assert description["Config"]["User"] == "1034:1034"
    assert docker("diff", name) == ""


def test_its_health_check_works(container):
    """The command passes in the running container, and fails without a service."""
    name, _ = container()
    command = json.loads(docker("inspect", name))[0]["Config"]["Healthcheck"]["Test"][1:]
    assert docker("exec", name, *command) == ""
    without_service = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--entrypoint",
            command[0],
            docker("inspect", "--format={{.Image}}", name),
        ]
        + command[1:],
        capture_output=True,
        check=False,
    )
    assert without_service.returncode == 1


def test_a_graceful_stop_finishes_running_requests(fork, container):
    """Eight requests are half sent when the stop begins; all are answered, and it exits with 0."""
    body = json.dumps({"rows": rows_and_scores(fork)[0]}).encode()
    name, url = container()
    clients = half_sent(url, body)
    in_flight = f"mlops_in_flight {len(clients):.1f}"
    wait_for(lambda: in_flight in httpx.get(f"{url}/metrics", trust_env=False).text)
    assert stop(name, clients, body)[1] == [200] * len(clients)
    assert json.loads(docker("inspect", name))[0]["State"]["ExitCode"] == 0


def test_image_again_changes_nothing(fork, built):
    """It finds the image in the registry, and the release is the same."""
    before = (fork.folder / "build/release.yaml").read_bytes()
    output = fork.mlops("image").stdout
    assert "already in" in output and built.release_id in output
    assert (fork.folder / "build/release.yaml").read_bytes() == before


KILLED = """
import os, signal, sys
from mlops import cli
from mlops.container import images
original = getattr(images, sys.argv[1])
def dying(*arguments):
    original(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(images, sys.argv[1], dying)
sys.exit(cli.main(["image"]))
"""


def test_killed_after_build_or_push_it_converges(fork, built, registry):
    """A second run uses the results of the first, and seals the release once."""
    path = fork.folder / "build/release.yaml"
    with fork.with_variables(MLOPS_REGISTRY=f"{registry.host}/acme/killed"):
        before = path.read_bytes()
        for moment in ("build", "push"):
            command = [sys.executable, "-c", KILLED, moment]
            done = subprocess.run(command, cwd=fork.folder, env=fork.environment, check=False)
            assert done.returncode == -9 and path.read_bytes() == before
        assert "already in" in fork.mlops("image").stdout
        sealed = read_release(path).promoted
    assert sealed.image.ref.startswith(f"{registry.host}/acme/killed@sha256:")
    assert sealed.bundle == built.promoted.bundle


def test_without_a_registry_it_stays_here(fork, built):
    """The release is unchanged, and the output explains how to pin an image."""
    with fork.with_variables(MLOPS_STORE="", MLOPS_REGISTRY=""):
        output = fork.mlops("package", "image").stdout
        release = read_release(fork.folder / "build/release.yaml")
    assert "in the local engine" in output and "set MLOPS_REGISTRY" in output
    assert release.promoted.image is None
    docker("rmi", f"fares:{built.promoted.bundle.digest[7:19]}")


def test_no_daemon_and_no_docker_are_errors(fork, built, registry, tmp_path):
    """Both errors name the remedy; neither is a traceback."""
    del built
    (tmp_path / "git").symlink_to(shutil.which("git"))
    for change, message in (
        ({"DOCKER_HOST": "unix:///nowhere"}, "No Docker daemon answers at unix:///nowhere"),
        ({"PATH": str(tmp_path)}, "docker is not installed"),
    ):
        with fork.with_variables(MLOPS_REGISTRY=f"{registry.host}/acme/unbuilt", **change):
            done = fork.mlops("image", check=False)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_a_builder_that_keeps_the_image_is_an_error(fork, built, registry, tmp_path):
    """buildx's builders in a container do, and report success."""
    del built
    keeping, real = tmp_path / "docker", shutil.which("docker")
    apart = 'if [ "$1" = build ]; then set -- "$@" --output=type=tar,dest=/dev/null; fi'
    keeping.write_text(f'#!/bin/sh\n{apart}\nexec {real} "$@"\n')
    keeping.chmod(0o755)
    path = f"{tmp_path}:{fork.environment['PATH']}"
    with fork.with_variables(MLOPS_REGISTRY=f"{registry.host}/acme/kept", PATH=path):
        done = fork.mlops("image", check=False)
    assert done.returncode == 2 and "Unset BUILDX_BUILDER" in done.stderr
    assert OciRepository(f"{registry.host}/acme/kept").tags() == []


def test_a_failed_build_shows_its_end(fork, built):
    """The error holds docker's and the installer's message; nothing is pushed."""
    del built
    fork.edit("requirements-serve.txt", "starlette==", "starlette==0.0.0.")
    done = fork.mlops(*BUILD, check=False)
    fork.git("reset", "--quiet", "--hard", "HEAD~1")
    fork.mlops(*BUILD)
    assert done.returncode == 2
    assert "could not be built" in done.stderr and "starlette==0.0.0" in done.stderr
