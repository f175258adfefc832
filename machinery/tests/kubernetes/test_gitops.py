"""Argo CD and Flux read every environment from Git, and one line names the repository."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from mlops.releases import environments
from mlops.targets import kustomize
from mlops.training import contract

NAMES = environments.names()


@pytest.fixture(scope="module")
def argo():
    """What is applied for Argo CD, by kind."""
    objects = kustomize.objects(kustomize.kustomize(Path("environments/argo-cd")))
    return {one["kind"]: one["spec"] | {"name": one["metadata"]["name"]} for one in objects}


@pytest.fixture(scope="module")
def flux():
    """What is applied for Flux, by name."""
    objects = kustomize.objects(kustomize.kustomize(Path("environments/flux")))
    return {one["metadata"]["name"]: one for one in objects}


def test_argo_takes_the_environments_on_a_cluster(argo):
    """By the settings of each, and by no list beside them."""
    (generator,) = argo["ApplicationSet"]["generators"]
    (files,) = generator["git"]["files"]
    assert sorted(path.parent.name for path in Path().glob(files["path"])) == sorted(NAMES)
    assert generator["selector"] == {"matchLabels": {"target": "kubernetes"}}


@pytest.mark.parametrize("name", NAMES)
def test_argo_s_keys_are_in_the_settings(argo, name):
    """`missingkey=error`: a missing key would stop every Application."""
    settings = yaml.safe_load(Path(f"environments/{name}/settings.yaml").read_text("utf-8"))
    keys = re.findall(r"{{ \.([a-z.]+) }}", str(argo["ApplicationSet"]["template"]))
    assert "path.path" in keys
    for key in set(keys) - {"path.path"}:
        value = settings
        for step in key.split("."):
            value = value[step]
        assert value in (name, settings["kubernetes"]["namespace"])


def test_argo_s_project_allows_what_is_rendered(argo, rendered):
    """The namespace of each environment, and of kinds outside any only the namespace itself."""
    project, namespace = argo["AppProject"], rendered.environment.settings.kubernetes.namespace
    assert any(
        fnmatch(namespace, destination["namespace"]) for destination in project["destinations"]
    )
    outside = {kind for kind, one in rendered.objects.items() if "namespace" not in one["metadata"]}
    assert outside == {one["kind"] for one in project["clusterResourceWhitelist"]}


def test_argo_reads_one_repository(argo):
    (url,) = argo["AppProject"]["sourceRepos"]
    (generator,) = argo["ApplicationSet"]["generators"]
    source = argo["ApplicationSet"]["template"]["spec"]["source"]
    assert (generator["git"]["repoURL"], source["repoURL"]) == (url, url)
    assert generator["git"]["revision"] == source["targetRevision"] == "main"


def test_flux_takes_every_environment(flux):
    paths = {one["spec"]["path"] for one in flux.values() if one["kind"] == "Kustomization"}
    assert paths == {f"./environments/{name}" for name in NAMES}


def test_flux_waits_for_what_it_applies(flux):
    """So that its own status is that of the roll-out."""
    applied = [one["spec"] for one in flux.values() if one["kind"] == "Kustomization"]
    assert all(spec["wait"] and spec["prune"] for spec in applied)
    (repository,) = {spec["sourceRef"]["name"] for spec in applied}
    assert flux[repository]["spec"]["ref"] == {"branch": "main"}


@pytest.mark.parametrize("folder", ["argo-cd", "flux"])
def test_models_may_share_a_cluster(folder):
    """What has one name would be taken over by the model that was applied last."""
    objects = kustomize.objects(kustomize.kustomize(Path("environments", folder)))
    prefix = f"{contract.params().name}-"
    assert all(one["metadata"]["name"].startswith(prefix) for one in objects)


def test_an_application_belongs_to_the_project_and_is_named_as_its_namespace(argo):
    template = argo["ApplicationSet"]["template"]
    assert template["spec"]["project"] == argo["AppProject"]["name"]
    assert template["metadata"]["name"] == template["spec"]["destination"]["namespace"]


@pytest.mark.parametrize("folder", ["argo-cd", "flux"])
def test_the_repository_is_named_on_one_line(folder):
    """The line that a fork edits."""
    text = "".join(file.read_text("utf-8") for file in Path("environments", folder).glob("*"))
    after = text.partition(
        "# The only line to edit: the address of this repository for the cluster.\n"
    )[2]
    assert "https://" in after.splitlines()[0]
    assert len(re.findall(r"https://(?!kubernetes\.default)", text)) == 1
