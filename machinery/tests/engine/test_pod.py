"""A pod as environments/base/ describes it: the real image with its limits, in a real engine."""

import shutil

import httpx
import pytest

from machinery.tests.engine.engines import docker
from machinery.tests.waiting import wait_for
from mlops.releases.release import write_release
from mlops.targets import kustomize

NAME = "predictor-7c9f"


def pod_of(fork, release, folder):
    """The description of the pod that dev would get for a release."""
    shutil.copytree(fork.folder / "environments", folder)
    write_release(folder / "dev/release.yaml", release)
    (deployment,) = (
        one
        for one in kustomize.objects(kustomize.kustomize(folder / "dev"))
        if one["kind"] == "Deployment"
    )
    return next(kustomize.pods(deployment))


def flags(pod):
    """The engine's options for a pod's limits, beside those of the fixture `container`."""
    (one,), user = pod["containers"], pod["securityContext"]
    yield f"--user={user['runAsUser']}:{user['runAsGroup']}"
    yield "--security-opt=no-new-privileges"
    yield f"--memory={one['resources']['limits']['memory'].lower().removesuffix('i')}"
    for mount in one["volumeMounts"]:
        if mount["mountPath"] != "/tmp":
            yield f"--tmpfs={mount['mountPath']}:uid={user['runAsUser']},mode=770"
    for variable in one["env"]:
        yield f"--env={variable['name']}={variable.get('value', NAME).replace('$(POD)', NAME)}"


@pytest.fixture(scope="module")
def pod(fork, built, tmp_path_factory):
    """The pod that dev would get for the first release."""
    return pod_of(fork, built, tmp_path_factory.mktemp("pod") / "environments")


@pytest.fixture
def running(container, pod):
    """Its container in the engine, and its address."""
    (one,) = pod["containers"]
    return container(*flags(pod), ref=one["image"])


def test_it_starts_and_its_probes_are_answered(running, pod):
    """With the pod's user, memory, file system and privileges."""
    _, url = running
    (one,) = pod["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert httpx.get(url + one[probe]["httpGet"]["path"], trust_env=False).status_code == 200


def test_it_reports_the_release(running, built):
    _, url = running
    version = httpx.get(f"{url}/version", trust_env=False).json()
    assert version["release_id"] == built.release_id
    assert version["model_digest"] == built.promoted.model.digest
    assert version["environment"] == "dev"


def test_it_logs_predictions_into_a_folder_of_its_own(running):
    name, url = running
    body = httpx.get(f"{url}/docs.json", trust_env=False).json()["paths"]["/predict"]["post"]
    example = body["requestBody"]["content"]["application/json"]["example"]
    assert httpx.post(f"{url}/predict", json=example, trust_env=False).status_code == 200
    log = f"/predictions/{NAME}/predictions-1.jsonl"
    command = ("/venv/bin/python", "-c", f"print(len(open({log!r}).readlines()))")
    # The service writes the log some times a second.
    wait_for(lambda: docker("exec", name, *command, check=False) == "1")


def test_it_exits_within_its_grace_period(running, pod):
    """The cluster uses a part of the period for the pause before the stop."""
    name, _ = running
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    docker("stop", f"-t={pod['terminationGracePeriodSeconds'] - pause}", name)
    # One that was killed when its time was up has another.
    assert docker("inspect", "--format={{.State.ExitCode}}", name) == "0"
