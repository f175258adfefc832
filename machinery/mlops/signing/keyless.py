"""Signing without a key: Sigstore certifies that a workflow of this repository signed.

environments/signers/sigstore.json is a ClientTrustConfig of your own Sigstore, or of the public one
for machines that cannot reach it. Without that file the public Sigstore is used.
"""

import re
import time
from dataclasses import dataclass
from typing import Any

from mlops.errors import UserError
from mlops.paths import SIGNERS
from mlops.signing.statement import PAYLOAD

TRUST_FILE = SIGNERS / "sigstore.json"
# Seconds between attempts: Sigstore's services fail now and then.
PAUSES = (2.0, 10.0)
GITHUB = "https://token.actions.githubusercontent.com"
_WORKFLOWS = "/.github/workflows/"
_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class RunSource:
    """What a workflow's run built, by its certificate; None is what the certificate lacks."""

    repository: str | None
    ref: str | None
    commit: str | None

    def __str__(self) -> str:
        if self.repository is None:
            return "a repository that the certificate does not name"
        ref = self.ref or "a ref that the certificate does not name"
        return f"{self.repository} at {ref}, commit {self.commit or 'unknown'}"


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

    The certificate's identity and run are not checked; see `has_identity` and `has_source`.
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


def has_identity(certificate: Any, identity: str, issuer: str) -> bool:
    """Return whether a certificate has this identity, certified by this issuer.

    GitHub may name a workflow by a commit in place of its branch. See `has_source`, too: whoever
    calls a workflow gets the workflow's identity, and anybody may call one of a public repository.
    """
    from sigstore.errors import VerificationError
    from sigstore.verify.policy import Identity

    actual, (workflow, _, ref) = identity_of(certificate), identity.partition("@")
    is_at_commit = ref.startswith("refs/") and _COMMIT.fullmatch(
        actual.removeprefix(f"{workflow}@")
    )
    try:
        Identity(identity=actual if is_at_commit else identity, issuer=issuer).verify(certificate)
        return True
    except VerificationError:
        return False


def has_source(certificate: Any, identity: str, issuer: str) -> bool:
    """Return whether the run behind a certificate of a workflow built the workflow's own source.

    That is its repository, at the ref or commit in its identity, which the certificate must have.
    An identity that is no workflow of GitHub needs no source.
    """
    if _WORKFLOWS not in identity and not issuer.startswith(GITHUB):
        return True
    source, (repository, ref) = source_of(certificate), expected_source(identity)
    commit = identity_of(certificate).partition("@")[2]
    if _COMMIT.fullmatch(commit) and source.commit != commit:
        return False
    is_at_ref = source.ref == ref or _COMMIT.fullmatch(ref) is not None
    return source.repository == repository and is_at_ref


def expected_source(identity: str) -> tuple[str, str]:
    """Return the repository of a workflow, and the ref or commit in its identity."""
    workflow, _, ref = identity.partition("@")
    return workflow.partition(_WORKFLOWS)[0], ref


def source_of(certificate: Any) -> RunSource:
    """Return the source in a certificate; raises ValueError if it names two workflows."""
    from sigstore.verify import policy

    identity, workflow = identity_of(certificate), _text(certificate, policy.OIDCBuildSignerURI)
    if workflow not in (None, identity):
        raise ValueError(f"its certificate is for {identity}, but names the workflow {workflow}")
    return RunSource(
        _text(certificate, policy.OIDCSourceRepositoryURI),
        _text(certificate, policy.OIDCSourceRepositoryRef),
        _text(certificate, policy.OIDCSourceRepositoryDigest),
    )


def _text(certificate: Any, kind: Any) -> str | None:
    """Return the text of an extension of Sigstore, None if the certificate lacks it."""
    from cryptography.hazmat import asn1
    from cryptography.x509 import ExtensionNotFound

    try:
        extension = certificate.extensions.get_extension_for_oid(kind.oid)
    except ExtensionNotFound:
        return None
    return asn1.decode_der(str, extension.value.value)


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
