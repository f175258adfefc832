"""Verification of a release's signatures against an environment's policy."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops.console import say
from mlops.releases.environments import Environment
from mlops.releases.policy import Signer
from mlops.releases.release import Release
from mlops.releases.rules.rule import Refusal
from mlops.releases.rules.signature import ALTERED, OTHER_SOURCE, STRANGER, UNSIGNED
from mlops.releases.store import Corrupt, Store
from mlops.signing import keyless, keys
from mlops.signing.statement import mismatches

# The suffixes that Sigstore's and CycloneDX's tools use.
SIGNATURE_SUFFIX = "sigstore.json"
SBOM_SUFFIX = "cdx.json"
# Errors raised by reading a malformed signature file.
_UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class _Verification:
    """A release, its trusted signers, and the fields of a refusal's message."""

    release: Release
    signers: Sequence[Signer]
    fields: dict[str, str]

    def refuse_signer(self, signer: str) -> Refusal:
        """Return the refusal of a signer whom the policy does not trust."""
        return STRANGER.refuse(found=signer, **self.fields)

    def refuse_source(self, certificate: Any, signers: Sequence[Signer]) -> Refusal:
        """Return the refusal of a trusted workflow that ran for another repository or ref."""
        sources = [keyless.expected_source(str(signer.identity)) for signer in signers]
        return OTHER_SOURCE.refuse(
            found=keyless.identity_of(certificate),
            source=keyless.source_of(certificate),
            allowed=" or ".join(f"{repository} at {ref}" for repository, ref in sources),
            **self.fields,
        )

    def refuse_altered(self, what: str, fault: object) -> Refusal:
        """Return the refusal of a bundle or signature that was changed."""
        return ALTERED.refuse(what=what, fault=fault, **self.fields)


def check_signature(environment: Environment, release: Release, store: Store) -> list[Refusal]:
    """Return why no signature satisfies the environment's policy; [] if one does or none is needed.

    One good signature is enough: a writer to the store can add others, but cannot replace it.
    """
    signers, digest = environment.policy.signed_by, release.promoted.bundle.digest
    if not signers:
        return []
    fields = {
        "release": release.release_id,
        "environment": environment.name,
        "signers": ", ".join(signer.name for signer in signers),
    }
    verification = _Verification(release, signers, fields)
    try:
        store.fetch(digest)
    except Corrupt as error:
        return [verification.refuse_altered("bundle", error)]
    refusals: list[list[Refusal]] = []
    signatures = store.attached(digest, SIGNATURE_SUFFIX)
    # Those by a key first: they need no network.
    for signature in sorted(signatures, key=_is_by_key, reverse=True):
        refusals.append(_verify(signature, verification))
        if not refusals[-1]:
            return []
    if not refusals:
        return [UNSIGNED.refuse(store=store.name, **fields)]
    # The signature nearest to a good one explains most.
    return min(refusals, key=_distance)


def _distance(refusals: list[Refusal]) -> int:
    return {STRANGER.id: 4, ALTERED.id: 3, OTHER_SOURCE.id: 2}.get(refusals[0].rule, 1)


def _is_by_key(signature: bytes) -> bool:
    try:
        return "publicKey" in json.loads(signature)["verificationMaterial"]
    except _UNREADABLE:
        return False


def _verify(signature: bytes, verification: _Verification) -> list[Refusal]:
    """Return the refusals of one signature, [] for a good one."""
    try:
        bundle = json.loads(signature)
        if "publicKey" in bundle["verificationMaterial"]:
            payload = _payload_by_key(bundle, verification)
        else:
            payload = _payload_by_identity(signature, verification)
        if isinstance(payload, Refusal):
            return [payload]
        return list(mismatches(verification.release, payload))
    except _UNREADABLE as error:
        return [verification.refuse_altered("signature", error)]


def _payload_by_key(bundle: dict[str, Any], verification: _Verification) -> bytes | Refusal:
    names = [signer.key for signer in verification.signers if signer.key]
    trusted = {name: keys.public_key(keys.public_file(name)) for name in names}
    hint = bundle["verificationMaterial"]["publicKey"]["hint"]
    name = next((name for name, key in trusted.items() if key.keyid == hint), None)
    if name is None:
        return verification.refuse_signer(f"the key {keys.key_name(str(hint))}")
    return keys.verify(bundle, trusted[name])


def _payload_by_identity(signature: bytes, verification: _Verification) -> bytes | Refusal:
    trusted = [signer for signer in verification.signers if signer.identity]
    if not trusted:
        # Not verified: that may need the network, and would not change the result.
        return verification.refuse_signer("a workflow, through Sigstore")
    payload, certificate = keyless.verify(signature)
    name = keyless.identity_of(certificate)
    signers = [
        one for one in trusted if keyless.has_identity(certificate, one.identity, one.issuer)
    ]
    if not signers:
        return verification.refuse_signer(name)
    if not any(keyless.has_source(certificate, one.identity, one.issuer) for one in signers):
        return verification.refuse_source(certificate, signers)
    if name not in [one.identity for one in signers]:
        # GitHub may name a workflow that is called by `$/` so.
        say("", f"{verification.release.release_id} is signed by {name}")
    return payload
