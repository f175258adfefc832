"""Signing without a key: Sigstore certifies that a workflow of this repository signed.

environments/signers/sigstore.json is a ClientTrustConfig of your own Sigstore, or of the public one
for machines that cannot reach it. Without that file the public Sigstore is used.
"""

import re
import time
from typing import Any

from mlops.errors import UserError
from mlops.paths import SIGNERS
from mlops.signing.statement import PAYLOAD

TRUST_FILE = SIGNERS / "sigstore.json"
# Seconds between attempts: Sigstore's services fail now and then.
PAUSES = (2.0, 10.0)


def uses_public_log() -> bool:
    """Return whether signatures made here appear in Sigstore's public log."""
    return not TRUST_FILE.is_file() or "sigstore.dev" in TRUST_FILE.read_text(encoding="utf-8")


def identity_token() -> str:
    """Return the identity token of this workflow; raises UserError if it gets none."""
    from sigstore.oidc import IdentityError, detect_credential

    try:
        token, reason = detect_credential(), "GitHub issued none"
    except IdentityError as error:
        token, reason = None, error
    if not token:
        raise UserError(
            f"The workflow got no identity token: {reason}. Its job needs "
            "`permissions: id-token: write`."
        )
    return token


def sign(payload: bytes, raw_token: str) -> bytes:
    """Return a Sigstore bundle signed with the identity of a token; raises UserError on failure."""
    from sigstore.dsse import Statement
    from sigstore.oidc import IdentityToken
    from sigstore.sign import SigningContext

    context = SigningContext.from_trust_config(_trust())
    for pause in (*PAUSES, None):
        try:
            with context.signer(IdentityToken(raw_token)) as signer:
                return signer.sign_dsse(Statement(payload)).to_json().encode()
        except Exception as error:  # pylint: disable=broad-except  # each client has its own kinds
            if pause is None:
                raise UserError(
                    f"Sigstore did not sign: {type(error).__name__}: {error}. Nothing was signed. "
                    "Run this again, or sign with a key (machinery/docs/signing.md)."
                ) from None
            time.sleep(pause)
    raise AssertionError


class _AnyIdentity:
    """A Sigstore policy that accepts every certificate."""

    def verify(self, cert: Any) -> None:
        """Accept the certificate."""


def verify(text: bytes) -> tuple[bytes, Any]:
    """Return the statement of a signature and its certificate; raises ValueError if it is invalid.

    The identity in the certificate is not checked; see `matches`.
    """
    from sigstore.errors import Error
    from sigstore.models import Bundle
    from sigstore.verify import Verifier

    trusted = _trust().trusted_root
    try:
        bundle = Bundle.from_json(text)
        kind, payload = Verifier(trusted_root=trusted).verify_dsse(bundle, _AnyIdentity())
    except Error as error:
        raise ValueError(str(error)) from None
    if kind != PAYLOAD:
        raise ValueError(f"its payload has the type {kind!r}, not {PAYLOAD!r}")
    return payload, bundle.signing_certificate


def matches(certificate: Any, identity: str, issuer: str) -> bool:
    """Return whether a certificate is for this identity, certified by this issuer."""
    from sigstore.errors import VerificationError
    from sigstore.verify.policy import Identity

    try:
        Identity(identity=identity, issuer=issuer).verify(certificate)
        return True
    except VerificationError:
        return False


def is_at_commit_by(certificate: Any, identity: str, issuer: str) -> bool:
    """Return whether a certificate has this identity with a commit in place of its branch.

    The run must have been on that branch of the same repository, at that commit: anybody who may
    push could otherwise call the workflow at a commit of theirs.
    """
    from sigstore.errors import VerificationError
    from sigstore.verify import policy

    actual, (workflow, _, ref) = identity_of(certificate), identity.partition("@")
    commit = actual.removeprefix(f"{workflow}@")
    if not ref.startswith("refs/") or not re.fullmatch("[0-9a-f]{40}", commit):
        return False
    demands = [
        policy.Identity(identity=actual, issuer=issuer),
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
    """Return the identity in a certificate."""
    from cryptography.x509 import SubjectAlternativeName

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    return ", ".join(str(name.value) for name in names)


def signer_of(text: bytes) -> str:
    """Return the identity that signed a Sigstore bundle."""
    from sigstore.models import Bundle

    return identity_of(Bundle.from_json(text).signing_certificate)


def _trust() -> Any:
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig

    try:
        if TRUST_FILE.is_file():
            return ClientTrustConfig.from_json(TRUST_FILE.read_text(encoding="utf-8"))
        return ClientTrustConfig.production()
    except (Error, ValueError, OSError) as error:
        raise UserError(
            f"Sigstore's roots of trust are not available: {error}. Without {TRUST_FILE} they are "
            "fetched from Sigstore; machinery/docs/signing.md shows how to commit them."
        ) from None
