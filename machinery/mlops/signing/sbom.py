"""The SBOM of a release in CycloneDX: packages, the model, its data. No I/O.

https://cyclonedx.org/docs/1.6/json/, https://cyclonedx.org/capabilities/mlbom/
"""

from collections.abc import Iterator
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlops.releases.release import Evidence, Release

Part = dict[str, Any]

SPEC = "1.6"


def of_bundle(release: Release, record: Part, lock: str) -> Part:
    """Return the SBOM of a release without an image: the packages of its lock, and the model."""
    subject = _part("application", release.release_id, release.promoted.bundle.digest)
    return _document(release, record, subject, list(locked(lock, record["environment"]["python"])))


def of_image(release: Release, record: Part, scan: Part) -> Part:
    """Return the SBOM of a release's image: the packages that a scanner lists, and the model."""
    ref, digest = release.promoted.image.ref.split("@")
    subject = _part("container", ref, digest)
    tools = {"tools": scan["metadata"]["tools"]} if "tools" in scan["metadata"] else {}
    document = _document(release, record, subject, scan.get("components", []))
    return document | {"metadata": document["metadata"] | tools}


def locked(lock: str, python: str) -> Iterator[Part]:
    """Yield the packages that a lock installs for a Python on Linux, where bundles are served."""
    machine = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "implementation_version": python,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
    }
    for line in lock.splitlines():
        if not line or line[0] in " #-":
            continue
        requirement = Requirement(line.removesuffix("\\"))
        if requirement.marker is None or requirement.marker.evaluate(machine):
            name, version = canonicalize_name(requirement.name), str(requirement.specifier)[2:]
            purl = f"pkg:pypi/{name}@{version}"
            yield {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
            }


def _document(release: Release, record: Part, subject: Part, packages: list[Part]) -> Part:
    # No serial number and no time, so that the same release has the same SBOM and digest.
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"component": subject},
        "components": [*packages, _model(release, record), _data(release, record)],
    }


def _model(release: Release, record: Part) -> Part:
    model = release.promoted.model
    gate = next((e for e in release.spec.evidence if e.kind == "gate"), None)
    return _part("machine-learning-model", model.name, model.digest) | {
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "datasets": [{"ref": "data"}],
            },
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(gate))},
            "properties": [
                {"name": f"mlops:params:{name}", "value": str(value)}
                for name, value in sorted(record["params"]["values"]["model"].items())
            ],
        }
    }


def _metrics(gate: Evidence | None) -> Iterator[Part]:
    """Yield each metric that the gate measured on the held-out rows, with its interval."""
    for name, metric in ((gate and gate.figures) or {}).get("metrics", {}).items():
        part = {"type": name, "value": str(metric["value"]), "slice": "holdout"}
        if metric.get("low") is not None:
            bounds = {"lowerBound": str(metric["low"]), "upperBound": str(metric["high"])}
            part["confidenceInterval"] = bounds
        yield part


def _data(release: Release, record: Part) -> Part:
    data = release.promoted.data
    partitions = {"train": data.train, "holdout": data.holdout}
    return _part("data", f"{release.promoted.model.name}-data", data.fingerprint) | {
        "bom-ref": "data",
        "version": record["source"]["commit"],
        "data": [
            {"type": "dataset", "name": f"{use}: {', '.join(names)}"}
            for use, names in partitions.items()
        ],
    }


def _part(kind: str, name: str, digest: str) -> Part:
    content = digest.removeprefix("sha256:")
    return {
        "type": kind,
        "bom-ref": kind,
        "name": name,
        "version": content[:12],
        "hashes": [{"alg": "SHA-256", "content": content}],
    }
