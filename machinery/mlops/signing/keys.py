"""Key files: an ECDSA private key on one machine, its public key in environments/signers/.

Envelope and bundle have Sigstore's formats, so that its tools can read them:
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

KEY_VARIABLE = "MLOPS_SIGNING_KEY"
NAME = re.compile(KEY_NAME)
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def public_file(name: str) -> Path:
    """Return the committed file of a public key."""
    return SIGNERS / f"{name}.pub"


def _private_file(project: str) -> Path:
    """Return the path of the private key, outside the repository; it need not exist."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(_variable_value() or f"{home}/mlops/{project}.pem").expanduser()


def _variable_value() -> str:
    """Return the variable's value without blanks, which are easily pasted into a secret."""
    return os.environ.get(KEY_VARIABLE, "").strip()


def _is_key(text: str) -> bool:
    """Return whether a text is a key or a part of one, which no message may contain."""
    return "BEGIN" in text or "\n" in text


def create(project: str, name: str) -> tuple[Path, Path]:
    """Create a key; return its private and its public file. Raises UserError if one exists."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    _require_names(name)
    private, public = _private_file(project), public_file(name)
    for path in (private, public):
        if path.exists():
            raise UserError(
                f"{path} exists already, and a key is never replaced. Give the new key another "
                f"name, and its file in {KEY_VARIABLE}. Changing keys: machinery/docs/signing.md."
            )
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Created with its mode, so that nobody else can read it at any moment.
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    pub = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files.write(public, pub)
    return private, public


def _require_names(name: str) -> None:
    """Raise UserError if the name is invalid, or if the variable holds a key and not a path."""
    if not NAME.fullmatch(name):
        shown = "a key itself" if _is_key(name) else repr(name)
        raise UserError(f"The name of a key may not be {shown}: use a-z, 0-9, dots and dashes.")
    if _is_key(_variable_value()):
        raise UserError(
            f"{KEY_VARIABLE} holds a key itself. A new key is written to a file: name that file in "
            f"{KEY_VARIABLE}, or unset it."
        )


def private_key(project: str) -> Any:
    """Return the signer for the private key, None if there is none; UserError if it is unusable.

    The variable holds the key itself in a workflow, from a secret, and its path elsewhere.
    """
    value = _variable_value()
    if _is_key(value):
        return _signer(value.encode(), KEY_VARIABLE)
    path = _private_file(project)
    if not path.is_file():
        if value:
            raise UserError(
                f"{KEY_VARIABLE} names {path}, and there is no such file. Correct the path, or "
                "unset it."
            )
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UserError(
            f"Other users can read the key {path} (mode {mode:o}). Run: chmod 600 {path}"
        )
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
            "password; `make sign ARGS='--new-key NAME'` creates such a key."
        ) from None


def key_name(keyid: str) -> str:
    """Return the name of a committed key; for any other key, its id."""
    for file in sorted(SIGNERS.glob("*.pub")):
        if public_key(file).keyid == keyid:
            return file.stem
    return f"{keyid[:12]} (not in {SIGNERS})"


def public_key(path: Path) -> Any:
    """Return a public key; raises UserError if it is missing or invalid."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        return SSlibKey.from_crypto(load_pem_public_key(path.read_bytes()))
    except FileNotFoundError:
        raise UserError(
            f"A policy names a key in `signed_by` whose public half, {path}, is missing. Restore "
            "it with git, or remove the key from policy.yaml."
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UserError(
            f"{path} is no public key in PEM: {error}. Restore it: git checkout HEAD -- {path}"
        ) from None


def sign(payload: bytes, signer: Any) -> bytes:
    """Return a Sigstore bundle with a statement signed by a key."""
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
    """Return the statement in a bundle; raises ValueError if the key did not sign it."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError, VerificationError

    try:
        # A copy, since from_dict changes its argument.
        envelope = Envelope.from_dict(json.loads(json.dumps(bundle["dsseEnvelope"])))
        envelope.verify([key], 1)
    except (KeyError, TypeError, AttributeError, FormatError, VerificationError) as error:
        raise ValueError(str(error) or type(error).__name__) from None
    if envelope.payload_type != PAYLOAD:
        raise ValueError(f"its payload has the type {envelope.payload_type!r}, not {PAYLOAD!r}")
    return envelope.payload


def has_signed(text: bytes, signer: Any, payload: bytes) -> bool:
    """Return whether a Sigstore bundle holds exactly this statement, signed by this key."""
    try:
        return verify(json.loads(text), signer.public_key) == payload
    except (ValueError, RecursionError):
        return False
