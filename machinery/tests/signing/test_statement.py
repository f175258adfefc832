"""Reading a signed statement."""

import json

import pytest
from securesystemslib.signer import CryptoSigner

from machinery.tests.promotion.conftest import some_promoted
from mlops.signing import keys
from mlops.signing.statement import BUILD, PREDICATE, TYPE, Builder, pinned_parts, statement


@pytest.mark.parametrize("kind", [TYPE, PREDICATE, BUILD])
def test_a_statement_of_another_kind_is_refused(kind):
    """The same key or workflow may sign other statements about the same bytes."""
    payload = statement(some_promoted(), Builder("urn:mlops:own-machine"))
    assert pinned_parts(payload)["bundle"] == some_promoted().bundle.digest
    with pytest.raises(ValueError, match="https://else/v1"):
        pinned_parts(payload.replace(kind.encode(), b"https://else/v1"))


def test_a_signature_of_another_payload_type_is_refused(monkeypatch):
    """The signature is good, but its payload is no statement."""
    signer = CryptoSigner.generate_ecdsa()
    with monkeypatch.context() as other:
        other.setattr(keys, "PAYLOAD", "application/json")
        text = keys.sign(b"{}", signer)
    with pytest.raises(ValueError, match="has the type 'application/json'"):
        keys.verify(json.loads(text), signer.public_key)
