"""Signing without a key to keep: Sigstore vouches that a workflow of this repository signed.

environments/signers/sigstore.json names a Sigstore of one's own, or the roots of the public one
for machines that cannot ask it (a ClientTrustConfig); without that file it is the public one.
"""

import re
import time
from typing import Any

from mlops.errors import UserError
from mlops.paths import SIGNERS
from mlops.signing.statement import PAYLOAD

TRUST = SIGNERS / "sigstore.json"
# Seconds before another try: its services stumble now and then.
PAUSES = (2.0, 10.0)


def is_public() -> bool:
    """Say whether everybody can read what is signed here in Sigstore's own log."""
    return not TRUST.is_file() or "sigstore.dev" in TRUST.read_text(encoding="utf-8")


def token() -> str:
    """Return the identity token of the workflow that this runs in; UserError if it gets none."""
    from sigstore.oidc import IdentityError, detect_credential

    try:
        found, why = detect_credential(), "it was asked for no identity"
    except IdentityError as error:
        found, why = None, error
    if not found:
        raise UserError(
            f"The workflow could not say who it is: {why}. Its job needs "
            "`permissions: id-token: write`."
        )
    return found


def sign(payload: bytes, raw_token: str) -> bytes:
    """Return a Sigstore bundle signed as the identity of a token; UserError when it cannot be."""
    from sigstore.dsse import Statement
    from sigstore.oidc import IdentityToken
    from sigstore.sign import SigningContext

    context = SigningContext.from_trust_config(_trust())
    for pause in (*PAUSES, None):
        try:
            with context.signer(IdentityToken(raw_token)) as signer:
                return signer.sign_dsse(Statement(payload)).to_json().encode()
        except Exception as error:  # pylint: disable=broad-except  # its clients have own kinds
            if pause is None:
                raise UserError(
                    f"Sigstore did not sign: {type(error).__name__}: {error}. Nothing was signed. "
                    "Run this again, or sign with a key (machinery/docs/signing.md)."
                ) from None
            time.sleep(pause)
    raise AssertionError


class _Anybody:
    """Sigstore's policy for a certificate of whomsoever."""

    def verify(self, cert: Any) -> None:
        """Let it pass."""


def verify(text: bytes) -> tuple[bytes, Any]:
    """Return the statement and the certificate it was signed with; ValueError if it is not sound.

    Whose the certificate is, is left to `is_by`.
    """
    from sigstore.errors import Error
    from sigstore.models import Bundle
    from sigstore.verify import Verifier

    trusted = _trust().trusted_root
    try:
        bundle = Bundle.from_json(text)
        kind, payload = Verifier(trusted_root=trusted).verify_dsse(bundle, _Anybody())
    except Error as error:
        raise ValueError(str(error)) from None
    if kind != PAYLOAD:
        raise ValueError(f"what is signed is of the type {kind!r}")
    return payload, bundle.signing_certificate


def is_by(certificate: Any, identity: str, issuer: str) -> bool:
    """Say whether a certificate is of this identity, vouched for by this issuer."""
    from sigstore.errors import VerificationError
    from sigstore.verify.policy import Identity

    try:
        Identity(identity=identity, issuer=issuer).verify(certificate)
        return True
    except VerificationError:
        return False


def is_at_commit_by(certificate: Any, identity: str, issuer: str) -> bool:
    """Say whether a certificate is of this identity, named with a commit in place of its branch.

    The run must have been on that branch of the same repository, at that commit: anybody who may
    push could otherwise call the workflow at a commit of theirs.
    """
    from sigstore.errors import VerificationError
    from sigstore.verify import policy

    found, (workflow, _, ref) = identity_of(certificate), identity.partition("@")
    commit = found.removeprefix(f"{workflow}@")
    if not ref.startswith("refs/") or not re.fullmatch("[0-9a-f]{40}", commit):
        return False
    demands = [
        policy.Identity(identity=found, issuer=issuer),
        policy.OIDCSourceRepositoryURI(workflow.partition("/.github/")[0]),
        policy.OIDCSourceRepositoryRef(ref),
        policy.OIDCSourceRepositoryDigest(commit),
    ]
    try:
        policy.AllOf(demands).verify(certificate)
        return True
    except VerificationError:
        return False


def identity_of(certificate: Any) -> str:
    """Return who a certificate is of."""
    from cryptography.x509 import SubjectAlternativeName

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    return ", ".join(str(name.value) for name in names)


def signer_of(text: bytes) -> str:
    """Return who signed a bundle."""
    from sigstore.models import Bundle

    return identity_of(Bundle.from_json(text).signing_certificate)


def _trust() -> Any:
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig

    try:
        if TRUST.is_file():
            return ClientTrustConfig.from_json(TRUST.read_text(encoding="utf-8"))
        return ClientTrustConfig.production()
    except (Error, ValueError, OSError) as error:
        raise UserError(
            f"What Sigstore trusts is not known here: {error}. Without {TRUST} it is fetched from "
            "Sigstore; machinery/docs/signing.md tells how to keep it in the repository."
        ) from None
