"""An environment as the objects of a cluster: kustomize builds them, the API's schema judges them.

Argo CD and Flux build the same folder with kustomize too: what is seen here is what they apply.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops.environments import Environment
from mlops.errors import UserError
from mlops.release import Release

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")


def render(environment: Environment, release: Release) -> str:
    """Return what a cluster would be sent for a release, as YAML; raises UserError."""
    where = environment.folder / "settings.yaml"
    if environment.settings.kubernetes is None or environment.settings.metadata is None:
        raise UserError(
            f"{where} does not say how a release runs on a cluster: it needs `metadata` and "
            "`kubernetes`, as docs/kubernetes.md shows."
        )
    if release.promoted.image is None:
        raise UserError(
            f"{release.release_id} has no image, and a cluster runs nothing else. Run `make image` "
            "after `make package`, then promote the release it seals."
        )
    text = kustomize(environment.folder)
    _check_image(environment, release.promoted.image.ref, text)
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


def _check_image(environment: Environment, wanted: str, text: str) -> None:
    found = images(objects(text))
    if wanted not in found:
        raise UserError(
            f"{environment.folder} runs {', '.join(sorted(found)) or 'no image'}, not the image of "
            f"its release, {wanted}. environments/base/kustomization.yaml puts that into the "
            "Deployment: put its replacement back."
        )


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
