"""What a signature says, read back."""

import json

import pytest
from securesystemslib.signer import CryptoSigner

from machinery.tests.promotion.conftest import some_promoted
from mlops.signing import keys
from mlops.signing.statement import BUILD, PREDICATE, TYPE, Builder, pins, statement


@pytest.mark.parametrize("kind", [TYPE, PREDICATE, BUILD])
def test_a_statement_of_another_kind_is_none_of_ours(kind):
    """The same key or workflow may sign other things about the same bytes."""
    payload = statement(some_promoted(), Builder("urn:mlops:own-machine"))
    assert pins(payload)["bundle"] == some_promoted().bundle.digest
    with pytest.raises(ValueError, match="https://else/v1"):
        pins(payload.replace(kind.encode(), b"https://else/v1"))


def test_a_signature_over_another_type_is_none_of_ours(monkeypatch):
    """Good as it is, it was never meant as a statement."""
    signer = CryptoSigner.generate_ecdsa()
    with monkeypatch.context() as other:
        other.setattr(keys, "PAYLOAD", "application/json")
        text = keys.sign(b"{}", signer)
    with pytest.raises(ValueError, match="of the type 'application/json'"):
        keys.verify(json.loads(text), signer.public_key)
