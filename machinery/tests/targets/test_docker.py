"""What a container must answer before it goes live; machinery/tests/engine runs real ones."""

import pytest

from machinery.tests.promotion.conftest import some_promoted
from mlops.errors import Refused
from mlops.serving import client
from mlops.targets import docker


@pytest.mark.parametrize("key", ["release_id", "model_digest", "commit"])
def test_one_wrong_word_is_enough_and_is_the_one_told(monkeypatch, key):
    promoted = some_promoted()
    digest, commit = promoted.model.digest, promoted.source.commit
    said = {"release_id": "r-1", "model_digest": digest, "commit": commit}
    order = docker.Order(None, "r-1", promoted, None, ready_seconds=1)
    monkeypatch.setattr(client, "version", lambda _: said)
    docker._require_said(order, "http://x")  # pylint: disable=protected-access
    said[key], right = "another", said[key]
    with pytest.raises(Refused, match=f"says that it is {key} another, not {right}$"):
        docker._require_said(order, "http://x")  # pylint: disable=protected-access
