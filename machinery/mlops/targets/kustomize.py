"""An environment as the objects of a cluster: kustomize builds them, the API's schema judges them.

Argo CD and Flux build the same folder with kustomize too: what is seen here is what they apply.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops.errors import UserError
from mlops.releases.environments import Environment
from mlops.releases.release import Release

# How people name what must stay secret.
SECRET = re.compile(r"(?i)(password|passwd|secret|token|credential|(api|access|private)_?key)")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")


def render(environment: Environment, release: Release) -> str:
    """Return what a cluster would be sent for a release, as YAML; raises UserError."""
    where = environment.folder / "settings.yaml"
    if environment.settings.kubernetes is None or environment.settings.metadata is None:
        raise UserError(
            f"{where} does not say how a release runs on a cluster: it needs `metadata` and "
            "`kubernetes`, as machinery/docs/kubernetes.md shows."
        )
    if release.promoted.image is None:
        raise UserError(
            f"{release.release_id} has no image, and a cluster runs nothing else. Run `make image` "
            "after `make package`, then promote the release it seals."
        )
    text = kustomize(environment.folder)
    found = objects(text)
    _check_image(environment, release.promoted.image.ref, found)
    _check_secrets(environment, found)
    return text


def kustomize(folder: Path) -> str:
    """Build a folder; raises UserError with kustomize's own reason."""
    command = [Path(sys.executable).with_name("kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{folder} cannot be built by kustomize: {done.stderr.strip()}")
    return done.stdout


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects in a rendered text."""
    return [found for found in yaml.safe_load_all(text) if found]


def images(found: Iterable[dict[str, Any]]) -> set[str]:
    """Return every image that the workloads among these objects run."""
    return {
        container["image"]
        for workload in found
        if workload["kind"] in WORKLOADS
        for pod in pods(workload)
        for kind in ("containers", "initContainers")
        for container in pod.get(kind, ())
    }


def pods(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every description of a pod: what holds containers, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield value
        for inner in value.values():
            yield from pods(inner)


def _check_image(environment: Environment, wanted: str, found: list[dict[str, Any]]) -> None:
    run = images(found)
    if wanted not in run:
        raise UserError(
            f"{environment.folder} runs {', '.join(sorted(run)) or 'no image'}, not the image of "
            f"its release, {wanted}. environments/base/kustomization.yaml puts that into the "
            "Deployment: put its replacement back."
        )


def _check_secrets(environment: Environment, found: list[dict[str, Any]]) -> None:
    """Refuse a secret whose value Git would keep for ever; the message does not repeat it."""
    told = [
        f"Secret {one['metadata']['name']}"
        for one in found
        if one["kind"] == "Secret" and (one.get("data") or one.get("stringData"))
    ]
    told += [f"the variable {name}" for name in _variables(found) if SECRET.search(name)]
    if told:
        raise UserError(
            f"{environment.folder} holds the value of {', '.join(told)}, and Git forgets nothing. "
            "Make the secret in the cluster, name it with `valueFrom: {secretKeyRef: ...}`, and "
            "change what was committed."
        )


def _variables(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the name of every variable of a container whose value is given."""
    for pod in (pod for workload in found for pod in pods(workload)):
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            yield from (one["name"] for one in container.get("env", ()) if one.get("value"))


def validate(found: Iterable[dict[str, Any]], version: str | None = None) -> tuple[str, list[str]]:
    """Check objects against the API's schema, where no field but its own may be.

    Returns the version of Kubernetes and the kinds it has no schema of; raises UserError.
    """
    import kubernetes_validate as api

    version, unknown = version or api.latest_version(), []
    for one in found:
        try:
            api.validate(one, version, strict=True)
        except api.SchemaNotFoundError:
            unknown.append(one["kind"])
        except api.ValidationError as error:
            place = ".".join(map(str, error.absolute_path)) or "the object"
            raise UserError(
                f"{one['kind']} {one['metadata']['name']}: {place}: {error.message}. That is not "
                f"what Kubernetes {version} takes: see environments/base/."
            ) from None
    return ".".join(version.split(".")[:2]), unknown
