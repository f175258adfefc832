"""What a signature says: an in-toto statement with SLSA provenance. No I/O.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://slsa.dev/spec/v1.0/provenance
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlops.files import canonical, digest
from mlops.releases.release import Promoted, Release
from mlops.releases.rules.rule import PromotionRule, Refusal
from mlops.releases.rules.signature import (
    OTHER_BUNDLE,
    OTHER_COMMIT,
    OTHER_IMAGE,
    OTHER_MODEL,
    OTHER_PARTS,
)

PAYLOAD = "application/vnd.in-toto+json"
TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
# What `externalParameters` and `resolvedDependencies` mean in ours.
BUILD = "urn:mlops:package:v1"

# `parts` last: its digest differs whenever one of the others does.
_REASONS: dict[str, PromotionRule] = {
    "bundle": OTHER_BUNDLE,
    "model": OTHER_MODEL,
    "commit": OTHER_COMMIT,
    "image": OTHER_IMAGE,
    "parts": OTHER_PARTS,
}


@dataclass(frozen=True)
class Builder:
    """Who built and signs, as far as it can be told, and in which run."""

    id: str
    run: str | None = None


def statement(promoted: Promoted, builder: Builder, listed: Iterable[str] = ()) -> bytes:
    """Return what is signed about a release; `listed` are digests of its bills of materials."""
    subjects = {"bundle": promoted.bundle.digest, "model": promoted.model.digest}
    if promoted.image:
        subjects["image"] = promoted.image.ref.split("@")[1]
    source = {
        "name": promoted.source.repository or "source",
        "digest": {"gitCommit": promoted.source.commit},
    }
    ran = {"metadata": {"invocationId": builder.run}} if builder.run else {}
    return canonical(
        {
            "_type": TYPE,
            "subject": [_named(name, value) for name, value in sorted(subjects.items())],
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD,
                    "externalParameters": {"promoted": _whole(promoted)},
                    "resolvedDependencies": [source, _named("data", promoted.data.fingerprint)],
                },
                "runDetails": {
                    "builder": {"id": builder.id},
                    **ran,
                    "byproducts": [_named("sbom", one) for one in listed],
                },
            },
        }
    )


def pins(payload: bytes) -> dict[str, str]:
    """Return what a signed statement pins by name; raises ValueError when it is none of ours."""
    try:
        said = json.loads(payload)
        if (said["_type"], said["predicateType"]) != (TYPE, PREDICATE):
            raise ValueError(f"it is a {said['predicateType']} in a {said['_type']}")
        build = said["predicate"]["buildDefinition"]
        if build["buildType"] != BUILD:
            raise ValueError(f"its buildType is {build['buildType']}")
        found = {one["name"]: f"sha256:{one['digest']['sha256']}" for one in said["subject"]}
        commits = [one["digest"].get("gitCommit") for one in build["resolvedDependencies"]]
        found["commit"] = next(filter(None, commits))
        found["parts"] = build["externalParameters"]["promoted"]
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(f"it lacks {error or 'a commit'}") from None
    return found


def mismatches(release: Release, payload: bytes) -> Iterator[Refusal]:
    """Refuse a release that is not the one a signed statement is about."""
    signed = pins(payload)
    actual = pins(statement(release.promoted, Builder("")))
    differing = [name for name in _REASONS if signed.get(name) != actual.get(name)]
    for name in [name for name in differing if name != "parts"] or differing:
        yield _REASONS[name].refuse(
            release=release.release_id,
            actual=actual.get(name, "none"),
            signed=signed.get(name, "none"),
        )


def _whole(promoted: Promoted) -> str:
    """Return one digest over all that is promoted; the seal in an id is its beginning."""
    return digest(canonical(promoted.model_dump(mode="json", by_alias=True, exclude_none=True)))


def _named(name: str, value: str) -> dict:
    return {"name": name, "digest": {"sha256": value.removeprefix("sha256:")}}
