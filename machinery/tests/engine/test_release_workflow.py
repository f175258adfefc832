"""The workflows turn a merge into a running image: built, signed, proposed, deployed by digest."""

import json
import os
import shutil

import pytest

from machinery.tests.engine.engines import docker
from machinery.tests.waiting import HANG_SECONDS
from machinery.tests.workflows.conftest import (  # pylint: disable=unused-import # fixtures
    nothing,
    seed,
)
from machinery.tests.workflows.repositories import copy
from machinery.tests.workflows.road import Road
from mlops.releases.release import read_release
from mlops.serving import client

DEMAND = "from: build\nsigned_by: [{key: release}]\n"


@pytest.fixture(scope="module")
def road(clean, registry, seed, tmp_path_factory):
    """A repository whose dev runs signed containers from the registry."""
    # pylint: disable=unused-argument,redefined-outer-name
    home = tmp_path_factory.mktemp("road") / "home"
    signed_road = Road(copy(seed, home))
    signed_road.variables = {"MLOPS_STORE": f"oci://{registry.host}/octo-org/rides"}
    # The client that can build.
    (home / "bin/docker").symlink_to(shutil.which("docker"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_SIGNING_KEY", str(home / "key.pem"))
        signed_road.mlops("sign", "--new-key", "release")
    repository = signed_road.repository
    repository.edit("environments/dev/policy.yaml", "from: build\n", DEMAND)
    repository.edit("environments/dev/settings.yaml", "target: local", "target: docker")
    repository.commit("Dev runs containers that bear our signature")
    repository.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    repository.commit("Another model")
    yield signed_road
    signed_road.end()


def pushed(road, workflow):
    """Push main's last commit to a public repository that has the key as a secret."""
    payload = road.repository.push()
    payload["repository"]["visibility"] = "public"
    key = (road.repository.home / "key.pem").read_text("utf-8")
    engine = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    return road.act("push", workflow, payload, secrets={"SIGNING_KEY": key}, environment=engine)


@pytest.fixture(scope="module")
def released(road):
    """The run after the merge of the first model, and its release."""
    run = pushed(road, "release.yml")
    run.require("Package", "Sign / what was built", "Propose / promote dev")
    return run, read_release(run.artifact("release") / "release.yaml")


def test_the_release_pins_an_image_of_the_registry(released, registry):
    """The release holds the digest of the registry's manifest."""
    name, _, digest = released[1].promoted.image.ref.partition("@")
    assert name == f"{registry.host}/octo-org/rides"
    assert json.loads(registry.blob(digest).read_bytes())["layers"]


def test_its_sbom_lists_the_packages_of_the_image(released):
    """It includes Debian's packages, which no lock lists."""
    sbom = json.loads((released[0].artifact("release") / "sbom.cdx.json").read_text("utf-8"))
    packages = {part.get("purl", "").partition("/")[0] for part in sbom["components"]}
    assert {"pkg:pypi", "pkg:deb"} <= packages


def test_only_the_signing_step_has_the_key(released):
    """In a public repository a job that runs no model also attests the release."""
    run, release = released
    assert (
        f"{release.release_id} is signed by the key release"
        in run.jobs["Sign / what was built"].log
    )
    assert len([text for text in run.environments.values() if "PRIVATE KEY" in text]) == 1
    assert "actions/attest" in {one["action"] for one in run.actions}


@pytest.fixture(scope="module")
def deployed(road, released):
    """The run after the merge of its proposal, and the container in dev."""
    assert road.merge() == f"promote/dev/{released[1].release_id}"
    run = pushed(road, "deploy.yml")
    name = docker("ps", "--quiet", f"--filter=name={released[1].release_id}.dev.")
    yield run, name and json.loads(docker("inspect", name))[0]
    docker("rm", "--force", name, check=False)


def test_dev_runs_that_very_image(deployed, released):
    """The container has that digest, and the service reports the release."""
    run, container = deployed
    run.require("dev / Deploy / serve and verify")
    assert container["Config"]["Image"] == released[1].promoted.image.ref
    port = container["NetworkSettings"]["Ports"]["3000/tcp"][0]["HostPort"]
    live = client.served_release(f"http://127.0.0.1:{port}", HANG_SECONDS)
    assert live == released[1].release_id


def test_the_release_in_dev_is_proposed_to_staging(road, deployed, released):
    """The proposal holds the same digest."""
    deployed[0].require("dev / Propose / promote staging")
    branch = f"promote/staging/{released[1].release_id}"
    assert road.open == [branch]
    text = road.git("show", f"{road.tip(branch)}:environments/staging/release.yaml")
    assert released[1].promoted.image.ref in text
