"""What is really inside a release, as CycloneDX tells it: packages, the model, its data. No I/O.

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
    """Return the bill of a release without an image: what its lock installs, and the model."""
    subject = _part("application", release.release_id, release.promoted.bundle.digest)
    return _bill(release, record, subject, list(locked(lock, record["environment"]["python"])))


def of_image(release: Release, record: Part, listed: Part) -> Part:
    """Return the bill of a release's image: what was found in it, and the model."""
    ref, digest = release.promoted.image.ref.split("@")
    subject = _part("container", ref, digest)
    tools = {"tools": listed["metadata"]["tools"]} if "tools" in listed["metadata"] else {}
    bill = _bill(release, record, subject, listed.get("components", []))
    return bill | {"metadata": bill["metadata"] | tools}


def locked(lock: str, python: str) -> Iterator[Part]:
    """Yield what a lock installs for a Python on Linux, where bundles are served."""
    machine = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "implementation_version": python,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
    }
    for line in lock.splitlines():
        if not line or line[0] in " #":
            continue
        wanted = Requirement(line.removesuffix("\\"))
        if wanted.marker is None or wanted.marker.evaluate(machine):
            name, version = canonicalize_name(wanted.name), str(wanted.specifier)[2:]
            purl = f"pkg:pypi/{name}@{version}"
            yield {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
            }


def _bill(release: Release, record: Part, subject: Part, packages: list[Part]) -> Part:
    # Neither serial number nor time: the same release has the same bill, known by its digest.
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"component": subject},
        "components": [*packages, _model(release, record), _data(release, record)],
    }


def _model(release: Release, record: Part) -> Part:
    told = release.promoted.model
    measured = next((e for e in release.spec.evidence if e.kind == "gate"), None)
    return _part("machine-learning-model", told.name, told.digest) | {
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "datasets": [{"ref": "data"}],
            },
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(measured))},
            "properties": [
                {"name": f"mlops:params:{name}", "value": str(value)}
                for name, value in sorted(record["params"]["values"]["model"].items())
            ],
        }
    }


def _metrics(gate: Evidence | None) -> Iterator[Part]:
    """Yield what the gate passed: each metric on the held-out rows, with its interval."""
    for name, metric in ((gate and gate.figures) or {}).get("metrics", {}).items():
        found = {"type": name, "value": str(metric["value"]), "slice": "holdout"}
        if metric.get("low") is not None:
            bounds = {"lowerBound": str(metric["low"]), "upperBound": str(metric["high"])}
            found["confidenceInterval"] = bounds
        yield found


def _data(release: Release, record: Part) -> Part:
    told = release.promoted.data
    partitions = {"train": told.train, "holdout": told.holdout}
    return _part("data", f"{release.promoted.model.name}-data", told.fingerprint) | {
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
