"""The signed statement: an in-toto statement with SLSA provenance. No I/O.

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
# Defines the meaning of `externalParameters` and `resolvedDependencies` in our statements.
BUILD = "urn:mlops:package:v1"

# `parts` comes last, since its digest differs if any of the others does.
_REASONS: dict[str, PromotionRule] = {
    "bundle": OTHER_BUNDLE,
    "model": OTHER_MODEL,
    "commit": OTHER_COMMIT,
    "image": OTHER_IMAGE,
    "parts": OTHER_PARTS,
}


@dataclass(frozen=True)
class Builder:
    """The workflow or machine that builds and signs, and the workflow's run."""

    id: str
    run: str | None = None


def statement(promoted: Promoted, builder: Builder, sboms: Iterable[str] = ()) -> bytes:
    """Return the statement to sign for a release; `sboms` are the digests of its SBOMs."""
    subjects = {"bundle": promoted.bundle.digest, "model": promoted.model.digest}
    if promoted.image:
        subjects["image"] = promoted.image.ref.split("@")[1]
    source = {
        "name": promoted.source.repository or "source",
        "digest": {"gitCommit": promoted.source.commit},
    }
    invocation = {"metadata": {"invocationId": builder.run}} if builder.run else {}
    return canonical(
        {
            "_type": TYPE,
            "subject": [_named(name, value) for name, value in sorted(subjects.items())],
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD,
                    "externalParameters": {"promoted": _digest_of(promoted)},
                    "resolvedDependencies": [source, _named("data", promoted.data.fingerprint)],
                },
                "runDetails": {
                    "builder": {"id": builder.id},
                    **invocation,
                    "byproducts": [_named("sbom", sbom) for sbom in sboms],
                },
            },
        }
    )


def pinned_parts(payload: bytes) -> dict[str, str]:
    """Return the digests that a signed statement pins; raises ValueError if it is not ours."""
    try:
        content = json.loads(payload)
        if (content["_type"], content["predicateType"]) != (TYPE, PREDICATE):
            raise ValueError(f"it is a {content['predicateType']} in a {content['_type']}")
        build = content["predicate"]["buildDefinition"]
        if build["buildType"] != BUILD:
            raise ValueError(f"its buildType is {build['buildType']}")
        pins = {part["name"]: f"sha256:{part['digest']['sha256']}" for part in content["subject"]}
        commits = [part["digest"].get("gitCommit") for part in build["resolvedDependencies"]]
        pins["commit"] = next(filter(None, commits))
        pins["parts"] = build["externalParameters"]["promoted"]
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(f"it lacks {error or 'a commit'}") from None
    return pins


def mismatches(release: Release, payload: bytes) -> Iterator[Refusal]:
    """Yield a refusal for each part in which a release differs from a signed statement."""
    signed = pinned_parts(payload)
    actual = pinned_parts(statement(release.promoted, Builder("")))
    differing = [name for name in _REASONS if signed.get(name) != actual.get(name)]
    for name in [name for name in differing if name != "parts"] or differing:
        yield _REASONS[name].refuse(
            release=release.release_id,
            actual=actual.get(name, "none"),
            signed=signed.get(name, "none"),
        )


def _digest_of(promoted: Promoted) -> str:
    """Return one digest of everything that is promoted; a release id ends with its first digits."""
    return digest(canonical(promoted.model_dump(mode="json", by_alias=True, exclude_none=True)))


def _named(name: str, value: str) -> dict:
    return {"name": name, "digest": {"sha256": value.removeprefix("sha256:")}}
