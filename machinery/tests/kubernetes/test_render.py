"""What a cluster would be sent for each environment, and what is refused before."""

import shutil
from pathlib import Path

import pytest
import yaml

from mlops.errors import UserError
from mlops.releases.release import none_yet
from mlops.targets import kustomize

OTHER = "registry.example.com/team/churn@sha256:" + "0" * 64


def container(objects):
    """The service's container."""
    return objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def variables(objects):
    """The variables of the service."""
    return {one["name"]: one.get("value") for one in container(objects)["env"]}


def test_the_image_is_the_release_s_by_digest(rendered):
    assert container(rendered.objects)["image"] == rendered.release.promoted.image.ref


def test_pods_go_where_the_image_can_run(rendered):
    """A cluster may have machines of several kinds."""
    nodes = rendered.objects["Deployment"]["spec"]["template"]["spec"]["nodeSelector"]
    platform = f"{nodes['kubernetes.io/os']}/{nodes['kubernetes.io/arch']}"
    assert platform == rendered.release.promoted.image.platform


def test_pods_carry_the_release(rendered):
    """So that the cluster's own history shows which release ran when."""
    release, objects = rendered.release, rendered.objects
    notes = objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert notes == {
        "mlops/release": release.release_id,
        "mlops/commit": release.promoted.source.commit,
        "mlops/model": release.promoted.model.digest,
    }
    assert variables(objects)["MLOPS_RELEASE_ID"] == release.release_id
    assert variables(objects)["MLOPS_ENVIRONMENT"] == rendered.environment.name


def test_settings_decide_how_it_runs(rendered):
    """Every value of settings.yaml that a cluster has a place for."""
    settings, objects = rendered.environment.settings, rendered.objects
    cluster = settings.kubernetes
    scaling, asks = objects["HorizontalPodAutoscaler"]["spec"], container(objects)["resources"]
    assert (scaling["minReplicas"], scaling["maxReplicas"]) == (
        cluster.replicas.least,
        cluster.replicas.most,
    )
    assert asks["requests"] == {"cpu": cluster.cpu, "memory": cluster.memory}
    assert asks["limits"] == {"memory": cluster.memory}
    assert objects["Service"]["spec"]["ports"][0]["port"] == settings.port
    assert variables(objects)["MLOPS_WORKERS"] == str(settings.workers)
    assert variables(objects)["MLOPS_LOG_LEVEL"] == settings.log_level


def test_figures_say_whose_they_are(rendered):
    """One Prometheus watches many models, and their alerts must not mix."""
    (endpoint,) = rendered.objects["ServiceMonitor"]["spec"]["endpoints"]
    assert {one["targetLabel"]: one["replacement"] for one in endpoint["relabelings"]} == {
        "model": rendered.release.promoted.model.name,
        "environment": rendered.environment.name,
    }


def test_all_is_in_one_namespace(rendered):
    namespace = rendered.environment.settings.kubernetes.namespace
    named = {
        one["metadata"]["name" if kind == "Namespace" else "namespace"]
        for kind, one in rendered.objects.items()
    }
    assert named == {namespace}


def test_nothing_is_left_to_fill_in(rendered):
    """The words that stand in environments/base for values of others."""
    text = yaml.safe_dump_all(rendered.objects.values())
    assert "from-release" not in text and "from-settings" not in text


def test_no_list_is_empty(rendered):
    """The API server drops it, and then whoever compares finds a difference for ever."""

    def lists(value):
        if isinstance(value, (dict, list)):
            yield from [value] * isinstance(value, list)
            for inner in value.values() if isinstance(value, dict) else value:
                yield from lists(inner)

    assert all(lists(rendered.objects))


def test_release_and_settings_are_sent_to_no_cluster(rendered):
    assert not {"Release", "Settings"} & set(rendered.objects)


# The pause before a stop came with 1.30.
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_it_is_valid_for_every_version_promised(rendered, version):
    checked, unknown = kustomize.validate(rendered.objects.values(), version)
    assert checked == version and set(unknown) <= {"ServiceMonitor"}


def test_the_schema_refuses_a_misspelt_field(rendered):
    """Which a cluster would drop in silence."""
    service = rendered.objects["Service"]
    wrong = {**service, "spec": {**service["spec"], "prots": []}}
    with pytest.raises(UserError, match="Service predictor: spec: .*'prots' was unexpected"):
        kustomize.validate([wrong])


def test_a_promotion_changes_the_rendering_by_release_yaml_alone(clone):
    before = clone.render()
    release_id = clone.ship(OTHER)
    after = clone.render()
    assert container(after)["image"] == OTHER
    assert variables(after)["MLOPS_RELEASE_ID"] == release_id
    assert {kind for kind in before if before[kind] != after[kind]} == {"Deployment"}


def test_an_environment_may_add_objects_and_lists_those_that_nothing_checks(clone):
    """A route, of which Kubernetes itself has no schema."""
    route = (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: predictor}\n"
    )
    Path("environments/staging/route.yaml").write_text(route, "utf-8")
    kustomization = Path("environments/staging/kustomization.yaml")
    text = kustomization.read_text("utf-8")
    kustomization.write_text(text.replace("[release.yaml,", "[route.yaml, release.yaml,"), "utf-8")
    answer = clone.mlops("render", "--env", "staging")
    assert answer.code == 0
    assert "not checked, because Kubernetes has no schema of them: HTTPRoute" in answer.text


def test_a_hand_edited_release_is_refused(clone):
    """As `deploy` refuses it: the seal is broken."""
    clone.edit("environments/staging/release.yaml", clone.image, OTHER)
    answer = clone.mlops("render", "--env", "staging")
    assert answer.code == 1 and "P102" in answer.text
    assert not Path("build/rendered").exists()


def test_a_quarantined_release_is_refused(clone):
    release_id = clone.render()["Deployment"]["metadata"]["annotations"]["mlops/release"]
    entry = f"- {{releaseId: {release_id}, at: 2026-11-21T00:00:00Z, reason: it errs}}\n"
    file = Path("environments/quarantine.yaml")
    clone.edit(file, file.read_text("utf-8"), entry)
    answer = clone.mlops("render", "--env", "staging")
    assert answer.code == 1 and "P105" in answer.text


def test_an_environment_without_a_release_is_refused(clone):
    file = Path("environments/dev/release.yaml")
    clone.edit(file, file.read_text("utf-8"), none_yet())
    answer = clone.mlops("render", "--env", "dev")
    assert answer.code == 1 and "P118" in answer.text


@pytest.mark.usefixtures("clone")
def test_kustomize_alone_builds_nothing_without_a_release():
    """Argo CD and Flux meet the same: they keep what runs."""
    Path("environments/dev/release.yaml").write_text(none_yet(), "utf-8")
    with pytest.raises(UserError, match="`spec.promoted.image.ref` is missing"):
        kustomize.kustomize(Path("environments/dev"))


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("field", ["releaseId", "ref", "commit"])
def test_a_release_that_lacks_a_field_does_not_build(field):
    file = Path("environments/dev/release.yaml")
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if f" {field}:" not in line), "utf-8")
    with pytest.raises(UserError, match="is missing for replacement source"):
        kustomize.kustomize(Path("environments/dev"))


def test_a_release_without_an_image_is_told_how_to_get_one(clone):
    clone.ship(None)
    answer = clone.mlops("render", "--env", "dev")
    assert answer.code == 2 and "has no image" in answer.text and "`make image`" in answer.text


def test_settings_without_a_cluster_are_told_what_lacks(clone):
    text = Path("environments/dev/settings.yaml").read_text("utf-8")
    clone.edit("environments/dev/settings.yaml", text, "target: local\nport: 3001\n")
    answer = clone.mlops("render", "--env", "dev")
    assert answer.code == 2 and "it needs `metadata` and `kubernetes`" in answer.text


def test_a_base_that_runs_another_image_is_refused(clone):
    """Somebody tried something out, and the release no longer decides."""
    base = Path("environments/base")
    for name, old, new in (
        ("deployment.yaml", "image: from-release", "image: mine:latest"),
        (
            "kustomization.yaml",
            'fieldPaths: ["spec.template.spec.containers.[name=predictor].image"]',
            "fieldPaths: [metadata.annotations.mlops/release]",
        ),
    ):
        clone.edit(base / name, old, new)
    answer = clone.mlops("render", "--env", "dev")
    assert answer.code == 2 and "runs mine:latest, not the image of its release" in answer.text


SECRET = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: registry}\nstringData: {password: hunter2}\n"
)
VARIABLE = "            - {name: STORE_TOKEN, value: hunter2}\n"


def test_a_secret_in_git_is_refused(clone):
    """And not printed."""
    Path("environments/staging/secret.yaml").write_text(SECRET, "utf-8")
    clone.edit(
        "environments/staging/kustomization.yaml", "[release.yaml,", "[secret.yaml, release.yaml,"
    )
    answer = clone.mlops("render", "--env", "staging")
    assert answer.code == 2 and "holds the value of Secret registry" in answer.text
    assert "hunter2" not in answer.text


def test_a_secret_in_a_variable_is_refused(clone):
    clone.edit(
        "environments/base/deployment.yaml", "          env:\n", f"          env:\n{VARIABLE}"
    )
    answer = clone.mlops("render", "--env", "staging")
    assert answer.code == 2 and "the value of the variable STORE_TOKEN" in answer.text


def test_a_reference_to_a_secret_is_not(clone):
    reference = VARIABLE.replace(
        "value: hunter2", "valueFrom: {secretKeyRef: {name: store, key: token}}"
    )
    clone.edit(
        "environments/base/deployment.yaml", "          env:\n", f"          env:\n{reference}"
    )
    clone.render()


def test_a_copied_environment_must_be_given_its_name(clone):
    """Else two folders would fight over one namespace."""
    shutil.copytree("environments/dev", "environments/canary")
    answer = clone.mlops("render", "--env", "canary")
    assert answer.code == 2
    assert "metadata.name is 'dev'. It must be the folder's name, 'canary'" in answer.text
