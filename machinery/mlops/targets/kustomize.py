"""Render an environment as the objects of a cluster, and validate them against its schema.

Argo CD and Flux build the same folder with kustomize too, so they apply the same objects.
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

# Names of variables that hold a secret.
SECRET = re.compile(r"(?i)(password|passwd|secret|token|credential|(api|access|private)_?key)")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")


def render(environment: Environment, release: Release) -> str:
    """Return the objects of a release as YAML; raises UserError."""
    where = environment.folder / "settings.yaml"
    if environment.settings.kubernetes is None or environment.settings.metadata is None:
        raise UserError(
            f"{where} has no settings for a cluster: it needs `metadata` and `kubernetes`, as "
            "machinery/docs/kubernetes.md shows."
        )
    if release.promoted.image is None:
        raise UserError(
            f"{release.release_id} has no image, and a cluster runs nothing else. Run `make image` "
            "after `make package`, then promote the release it seals."
        )
    text = kustomize(environment.folder)
    rendered = objects(text)
    _check_image(environment, release.promoted.image.ref, rendered)
    _check_secrets(environment, rendered)
    return text


def kustomize(folder: Path) -> str:
    """Build a folder; raises UserError with kustomize's message."""
    command = [Path(sys.executable).with_name("kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{folder} cannot be built by kustomize: {done.stderr.strip()}")
    return done.stdout


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects in a rendered text."""
    return [document for document in yaml.safe_load_all(text) if document]


def images(rendered: Iterable[dict[str, Any]]) -> set[str]:
    """Return every image that the workloads among these objects run."""
    return {
        container["image"]
        for workload in rendered
        if workload["kind"] in WORKLOADS
        for pod in pods(workload)
        for kind in ("containers", "initContainers")
        for container in pod.get(kind, ())
    }


def pods(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every pod description, at any depth: a mapping with `containers`."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield value
        for inner in value.values():
            yield from pods(inner)


def _check_image(environment: Environment, ref: str, rendered: list[dict[str, Any]]) -> None:
    run = images(rendered)
    if ref not in run:
        raise UserError(
            f"{environment.folder} runs {', '.join(sorted(run)) or 'no image'}, not the image of "
            f"its release, {ref}. Restore the replacement in environments/base/kustomization.yaml "
            "that puts the image into the Deployment."
        )


def _check_secrets(environment: Environment, rendered: list[dict[str, Any]]) -> None:
    """Refuse a secret whose value Git would keep for ever; the message does not repeat it."""
    secrets = [
        f"Secret {one['metadata']['name']}"
        for one in rendered
        if one["kind"] == "Secret" and (one.get("data") or one.get("stringData"))
    ]
    secrets += [f"the variable {name}" for name in _variables(rendered) if SECRET.search(name)]
    if secrets:
        raise UserError(
            f"{environment.folder} holds the value of {', '.join(secrets)}, and Git keeps it. "
            "Create the secret in the cluster, name it with `valueFrom: {secretKeyRef: ...}`, and "
            "change the value that was committed."
        )


def _variables(rendered: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the name of every container variable with a literal value."""
    for pod in (pod for workload in rendered for pod in pods(workload)):
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            yield from (one["name"] for one in container.get("env", ()) if one.get("value"))


def validate(
    rendered: Iterable[dict[str, Any]], version: str | None = None
) -> tuple[str, list[str]]:
    """Validate objects against the API's schema, which allows no unknown field.

    Returns the version of Kubernetes and the kinds without a schema; raises UserError.
    """
    import kubernetes_validate as api

    version, unknown = version or api.latest_version(), []
    for one in rendered:
        try:
            api.validate(one, version, strict=True)
        except api.SchemaNotFoundError:
            unknown.append(one["kind"])
        except api.ValidationError as error:
            field = ".".join(map(str, error.absolute_path)) or "the object"
            raise UserError(
                f"{one['kind']} {one['metadata']['name']}: {field}: {error.message}. It is not "
                f"valid for Kubernetes {version}: correct it in environments/."
            ) from None
    return ".".join(version.split(".")[:2]), unknown
