"""Key files: an ECDSA key on one machine, its public half in environments/signers/.

The envelope and the bundle around it are those of Sigstore, so that its tools can read them:
https://github.com/secure-systems-lab/dsse, https://docs.sigstore.dev/about/bundle
"""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from mlops import files
from mlops.errors import UserError
from mlops.paths import SIGNERS
from mlops.releases.policy import KEY_NAME
from mlops.signing.statement import PAYLOAD

VARIABLE = "MLOPS_SIGNING_KEY"
NAME = re.compile(KEY_NAME)
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def public_file(name: str) -> Path:
    """Return where the public half of a key is committed."""
    return SIGNERS / f"{name}.pub"


def _private_file(project: str) -> Path:
    """Return where the private key is, if there is one: outside the repository."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(_given() or f"{home}/mlops/{project}.pem").expanduser()


def _given() -> str:
    """Return what the variable says, without the blanks that a secret is easily pasted with."""
    return os.environ.get(VARIABLE, "").strip()


def _is_key(text: str) -> bool:
    """Say whether this is a key, or a part of one, and no name: then no message may hold it."""
    return "BEGIN" in text or "\n" in text


def make(project: str, name: str) -> tuple[Path, Path]:
    """Make a key; return the files of its two halves. Raises UserError rather than replace one."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    _require_names(name)
    private, half = _private_file(project), public_file(name)
    for path in (private, half):
        if path.exists():
            raise UserError(
                f"{path} is there already, and a key is never replaced. Give the new one another "
                f"name, and its file by {VARIABLE}. Changing keys: machinery/docs/signing.md."
            )
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Created with its mode: at no moment may anybody else read it.
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    pub = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files.write(half, pub)
    return private, half


def _require_names(name: str) -> None:
    """Raise UserError where no new key can have this name, or the variable holds one, no file."""
    if not NAME.fullmatch(name):
        told = "what is a key itself" if _is_key(name) else repr(name)
        raise UserError(f"A key may not be called {told}: use a-z, 0-9, dots and dashes.")
    if _is_key(_given()):
        raise UserError(
            f"{VARIABLE} holds a key itself. A new one is written to a file: name that file in "
            f"{VARIABLE}, or unset it."
        )


def private(project: str) -> Any:
    """Return the signer to sign with, None where there is none; UserError when it cannot be used.

    A workflow gives the key itself, from a secret, where a person gives its file.
    """
    given = _given()
    if _is_key(given):
        return _signer(given.encode(), VARIABLE)
    path = _private_file(project)
    if not path.is_file():
        if given:
            raise UserError(f"{VARIABLE} names {path}, and there is no such file.")
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UserError(f"Others may use the key {path} (mode {mode:o}). Run: chmod 600 {path}")
    return _signer(path.read_bytes(), path)


def _signer(pem: bytes, where: object) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        return CryptoSigner(load_pem_private_key(pem, password=None))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UserError(
            f"{where} holds no private key that can be used: {error}. It must be PEM without a "
            "password, as `make sign ARGS='--new-key NAME'` makes it."
        ) from None


def name_of(keyid: str) -> str:
    """Return what a key is called here, by its id where it is not committed."""
    for file in sorted(SIGNERS.glob("*.pub")):
        if public(file).keyid == keyid:
            return file.stem
    return f"{keyid[:12]} (not in {SIGNERS})"


def public(path: Path) -> Any:
    """Return a public key; UserError when there is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        return SSlibKey.from_crypto(load_pem_public_key(path.read_bytes()))
    except FileNotFoundError:
        raise UserError(
            f"A policy is signed_by a key whose public half, {path}, is missing. Put it back with "
            "git, or take the key out of policy.yaml."
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UserError(f"{path} is no public key in PEM: {error}.") from None


def sign(payload: bytes, signer: Any) -> bytes:
    """Return a Sigstore bundle in which a key signs a statement."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, PAYLOAD, {})
    envelope.sign(signer)
    material = {"publicKey": {"hint": signer.public_key.keyid}, "tlogEntries": []}
    return files.canonical(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": envelope.to_dict(),
        }
    )


def verify(bundle: dict[str, Any], key: Any) -> bytes:
    """Return the statement a key signed; raises ValueError when it did not sign it as it is."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError, VerificationError

    try:
        # A copy, since from_dict changes what it is given.
        envelope = Envelope.from_dict(json.loads(json.dumps(bundle["dsseEnvelope"])))
        envelope.verify([key], 1)
    except (KeyError, TypeError, AttributeError, FormatError, VerificationError) as error:
        raise ValueError(str(error) or type(error).__name__) from None
    if envelope.payload_type != PAYLOAD:
        raise ValueError(f"what is signed is of the type {envelope.payload_type!r}")
    return envelope.payload


def has_signed(text: bytes, signer: Any, payload: bytes) -> bool:
    """Say whether a Sigstore bundle is this very statement, signed by this key."""
    try:
        return verify(json.loads(text), signer.public_key) == payload
    except (ValueError, RecursionError):
        return False
