"""What a container must report before it goes live; machinery/tests/engine runs real ones."""

import pytest

from machinery.tests.promotion.conftest import some_promoted
from mlops.errors import Refused
from mlops.serving import client
from mlops.targets.docker import ContainerDeployment


@pytest.mark.parametrize("key", ["release_id", "model_digest", "commit"])
def test_one_wrong_value_is_enough_and_is_named(monkeypatch, key):
    promoted = some_promoted()
    digest, commit = promoted.model.digest, promoted.source.commit
    version = {"release_id": "r-1", "model_digest": digest, "commit": commit}
    deployment = ContainerDeployment(None, "r-1", 1, promoted, None)
    monkeypatch.setattr(client, "version", lambda _: version)
    deployment.require_identity("http://x")
    version[key], right = "another", version[key]
    with pytest.raises(Refused, match=f"the service reports {key} another, not {right}$"):
        deployment.require_identity("http://x")
