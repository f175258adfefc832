"""Does a signature that a policy accepts speak for a release? Every no comes with its reason."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops.releases.environments import Environment
from mlops.releases.policy import Signer
from mlops.releases.release import Release
from mlops.releases.rules.rule import Refusal
from mlops.releases.rules.signature import ALTERED, STRANGER, UNSIGNED
from mlops.releases.store import Corrupt, Store
from mlops.signing import keyless, keys
from mlops.signing.statement import mismatches

# How Sigstore's and CycloneDX's tools name such files.
KIND = "sigstore.json"
BILL = "cdx.json"
# What a file that is no signature, or none any more, makes of whoever reads it.
_UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class _Demand:
    """Whose signature is demanded for which release, and where it is looked for."""

    release: Release
    signers: Sequence[Signer]
    words: dict[str, str]

    def refuse_stranger(self, found: str) -> Refusal:
        """Refuse who signed."""
        return STRANGER.refuse(found=found, **self.words)

    def refuse_altered(self, what: str, fault: object) -> Refusal:
        """Refuse what is not as it was signed."""
        return ALTERED.refuse(what=what, fault=fault, **self.words)


def check_signature(environment: Environment, release: Release, store: Store) -> list[Refusal]:
    """Refuse a release that nobody whom the environment trusts, if it names any, vouches for.

    One good signature is enough: whoever can write to the store may add others, not replace it.
    """
    signers, digest = environment.policy.signed_by, release.promoted.bundle.digest
    if not signers:
        return []
    words = {
        "release": release.release_id,
        "environment": environment.name,
        "signers": ", ".join(signer.name for signer in signers),
    }
    demand = _Demand(release, signers, words)
    try:
        store.fetch(digest)
    except Corrupt as error:
        return [demand.refuse_altered("bundle", error)]
    found: list[list[Refusal]] = []
    # A key's first, which asks nobody.
    for text in sorted(store.attached(digest, KIND), key=_is_by_key, reverse=True):
        found.append(_judge(text, demand))
        if not found[-1]:
            return []
    if not found:
        return [UNSIGNED.refuse(store=store.name, **words)]
    # The nearest to a good one tells most.
    return min(found, key=_distance)


def _distance(refusals: list[Refusal]) -> int:
    return {STRANGER.id: 3, ALTERED.id: 2}.get(refusals[0].rule, 1)


def _is_by_key(text: bytes) -> bool:
    try:
        return "publicKey" in json.loads(text)["verificationMaterial"]
    except _UNREADABLE:
        return False


def _judge(text: bytes, demand: _Demand) -> list[Refusal]:
    """Return what is wrong with one signature."""
    try:
        bundle = json.loads(text)
        by_key = "publicKey" in bundle["verificationMaterial"]
        payload = _by_key(bundle, demand) if by_key else _by_identity(text, demand)
        if isinstance(payload, Refusal):
            return [payload]
        return list(mismatches(demand.release, payload))
    except _UNREADABLE as error:
        return [demand.refuse_altered("signature", error)]


def _by_key(bundle: dict[str, Any], demand: _Demand) -> bytes | Refusal:
    names = [signer.key for signer in demand.signers if signer.key]
    known = {name: keys.public(keys.public_file(name)) for name in names}
    hint = bundle["verificationMaterial"]["publicKey"]["hint"]
    name = next((name for name, key in known.items() if key.keyid == hint), None)
    if name is None:
        return demand.refuse_stranger(f"the key {keys.name_of(str(hint))}")
    return keys.verify(bundle, known[name])


def _by_identity(text: bytes, demand: _Demand) -> bytes | Refusal:
    wanted = [signer for signer in demand.signers if signer.identity]
    if not wanted:
        # Not examined: that may need the network, and would not change the answer.
        return demand.refuse_stranger("a workflow, through Sigstore")
    payload, certificate = keyless.verify(text)
    if any(keyless.is_by(certificate, one.identity, one.issuer) for one in wanted):
        return payload
    return demand.refuse_stranger(keyless.identity_of(certificate))
