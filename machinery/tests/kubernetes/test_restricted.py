"""Pods keep to the restricted Pod Security Standard, and stop as gracefully as the service can."""

import re
from copy import deepcopy
from pathlib import Path

import pytest

from mlops.targets.kustomize import pods
from mlops.targets.slots import GRACE_SECONDS
from mlops.training import contract

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def mebibytes(quantity):
    """A quantity of Kubernetes as a number of mebibytes."""
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]


def security(one):
    """The security context of a pod or container."""
    return one.get("securityContext", {})


def each(pod, holds):
    """Say whether something holds for every container."""
    return all(holds(one) for one in (*pod["containers"], *pod.get("initContainers", ())))


def either(pod, key, holds):
    """Say whether something holds for a key of every container, which a pod may set for them."""
    return each(pod, lambda one: holds(security(one).get(key, security(pod).get(key))))


# https://kubernetes.io/docs/concepts/security/pod-security-standards/: baseline, then restricted.
STANDARD = {
    "host namespaces": lambda pod: not any(
        pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")
    ),
    "privileged": lambda pod: each(pod, lambda one: not security(one).get("privileged")),
    "added capabilities": lambda pod: each(
        pod,
        lambda one: set(security(one).get("capabilities", {}).get("add", ()))
        <= {"NET_BIND_SERVICE"},
    ),
    "host ports": lambda pod: each(
        pod, lambda one: not any(port.get("hostPort") for port in one.get("ports", ()))
    ),
    "proc mount": lambda pod: each(
        pod, lambda one: security(one).get("procMount", "Default") == "Default"
    ),
    "sysctls": lambda pod: not security(pod).get("sysctls"),
    "volume types": lambda pod: all(
        set(volume) - {"name"} <= VOLUMES for volume in pod.get("volumes", ())
    ),
    "privilege escalation": lambda pod: each(
        pod, lambda one: security(one).get("allowPrivilegeEscalation") is False
    ),
    "runs as non-root": lambda pod: either(pod, "runAsNonRoot", lambda value: value is True),
    "user is not 0": lambda pod: either(pod, "runAsUser", lambda value: value != 0),
    "seccomp profile": lambda pod: either(
        pod,
        "seccompProfile",
        lambda value: (value or {}).get("type") in ("RuntimeDefault", "Localhost"),
    ),
    "dropped capabilities": lambda pod: each(
        pod, lambda one: "ALL" in security(one).get("capabilities", {}).get("drop", ())
    ),
    # Beyond the standard.
    "read-only root": lambda pod: each(
        pod, lambda one: security(one).get("readOnlyRootFilesystem") is True
    ),
    "no token": lambda pod: pod.get("automountServiceAccountToken") is False,
}

# What breaks each of them: where, and what stands there then.
BREAKS = {
    "host namespaces": ("hostNetwork", True),
    "privileged": ("containers.0.securityContext.privileged", True),
    "added capabilities": ("containers.0.securityContext.capabilities.add", ["SYS_ADMIN"]),
    "host ports": ("containers.0.ports.0.hostPort", 80),
    "proc mount": ("containers.0.securityContext.procMount", "Unmasked"),
    "sysctls": ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    "volume types": ("volumes.0.hostPath", {"path": "/"}),
    "privilege escalation": ("containers.0.securityContext.allowPrivilegeEscalation", None),
    "runs as non-root": ("securityContext.runAsNonRoot", None),
    "user is not 0": ("containers.0.securityContext.runAsUser", 0),
    "seccomp profile": ("securityContext.seccompProfile", None),
    "dropped capabilities": ("containers.0.securityContext.capabilities.drop", []),
    "read-only root": ("containers.0.securityContext.readOnlyRootFilesystem", None),
    "no token": ("automountServiceAccountToken", None),
}


@pytest.fixture
def pod(rendered):
    """The description of the service's pods."""
    (description,) = pods(rendered.objects["Deployment"])
    return deepcopy(description)


@pytest.mark.parametrize("name", STANDARD)
def test_pods_keep_to_the_standard(pod, name):
    assert STANDARD[name](pod)


@pytest.mark.parametrize("name", STANDARD)
def test_a_pod_that_breaks_it_is_noticed(pod, name):
    """By that check and no other."""
    path, value = BREAKS[name]
    *steps, last = path.split(".")
    inner = pod
    for step in steps:
        inner = inner[int(step)] if step.isdigit() else inner[step]
    inner[last] = value
    assert [broken for broken, holds in STANDARD.items() if not holds(pod)] == [name]


def test_the_cluster_enforces_the_standard(rendered):
    """On what anybody puts into the namespace later, too."""
    labels = rendered.objects["Namespace"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_requests_in_flight_finish_before_a_pod_is_killed(pod):
    """Traffic has turned away first, then the service takes as long as it may on any target."""
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + GRACE_SECONDS


def test_a_pod_may_start_as_slowly_as_a_release_on_any_target(pod):
    probe = pod["containers"][0]["startupProbe"]
    assert (
        probe["periodSeconds"] * probe["failureThreshold"] >= contract.params().serve.ready_seconds
    )


def test_logs_and_requests_of_all_workers_fit(pod, rendered):
    """A pod that takes more disk or memory than it may is ended."""
    serve, workers = contract.params().serve, rendered.environment.settings.workers
    (room,) = (
        volume["emptyDir"]["sizeLimit"]
        for volume in pod["volumes"]
        if volume["name"] == "predictions"
    )
    assert workers * serve.log_mb < mebibytes(room)
    memory = pod["containers"][0]["resources"]["limits"]["memory"]
    # A worker itself took 75 MB.
    assert workers * (75 + serve.max_held_mb) < mebibytes(memory)


def test_a_busy_pod_is_relieved_before_it_is_started_anew(pod):
    live, ready = (pod["containers"][0][name] for name in ("livenessProbe", "readinessProbe"))
    assert live["periodSeconds"] * live["failureThreshold"] > 2 * (
        ready["periodSeconds"] * ready["failureThreshold"]
    )


def test_probes_and_scrapes_go_where_the_service_answers(pod, rendered):
    """The paths are the service's own, by the description it gives of itself."""
    from mlops.serving.openapi import document

    row = {"type": "object", "properties": {}, "examples": []}
    served = document("churn", row, 1)["paths"]
    container = pod["containers"][0]
    paths = {
        container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "readiness", "liveness")
    }
    monitor = rendered.objects.get("ServiceMonitor")
    paths |= {one["path"] for one in monitor["spec"]["endpoints"]} if monitor else set()
    assert paths <= set(served)


def test_user_and_port_are_the_image_s(pod):
    """Which the Dockerfile names."""
    text = Path("machinery/mlops/container/Dockerfile").read_text("utf-8")
    user, port = re.search(r"(?m)^USER (\d+)", text)[1], re.search(r"(?m)^EXPOSE (\d+)", text)[1]
    assert pod["securityContext"]["runAsUser"] == int(user)
    assert [one["containerPort"] for one in pod["containers"][0]["ports"]] == [int(port)]


def test_the_network_lets_requests_in_and_nothing_out(rendered):
    policy = rendered.objects["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and "egress" not in policy
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "http"}]]


def test_selectors_find_thepods(rendered):
    """Service, autoscaler, budget, policy and monitor all speak of the same pods."""
    objects = rendered.objects
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    specs = {kind: one["spec"] for kind, one in objects.items() if "spec" in one}
    selectors = [
        specs["Deployment"]["selector"]["matchLabels"],
        specs["Service"]["selector"],
        specs["PodDisruptionBudget"]["selector"]["matchLabels"],
        specs["NetworkPolicy"]["podSelector"]["matchLabels"],
    ]
    assert all(selector and selector.items() <= labels for selector in selectors)
    assert specs["HorizontalPodAutoscaler"]["scaleTargetRef"]["kind"] == "Deployment"
    monitored = specs.get("ServiceMonitor", {}).get("selector", {}).get("matchLabels", {})
    assert monitored.items() <= objects["Service"]["metadata"]["labels"].items()
