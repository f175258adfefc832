"""The real steps with a real model: package, sbom, sign, promote and deploy."""

import pytest

from mlops.files import digest_file

pytestmark = pytest.mark.slow

POLICY = "environments/dev/policy.yaml"


@pytest.fixture(scope="module")
def signed(fork, tmp_path_factory):
    """The fork with a signed release promoted to dev, which demands that signature."""
    fork.environment["MLOPS_SIGNING_KEY"] = str(tmp_path_factory.mktemp("key") / "ours.pem")
    fork.mlops("sign", "--new-key", "ours")
    fork.git("add", "environments/signers")
    fork.edit(POLICY, "from: build\n", "from: build\nsigned_by: [{key: ours}]\n")
    fork.mlops(*"check-data train evaluate report gate package sbom sign".split())
    fork.mlops("promote", "--env", "dev")
    return fork


def test_a_signed_release_is_deployed(signed):
    """The step deploys it, and the SBOM is in the store."""
    output = signed.mlops("deploy", "--env", "dev").stdout
    assert "dev serves " in output
    assert digest_file(signed.folder / "build/sbom.cdx.json")[7:23] in str(
        list((signed.folder / "build/store").rglob("*.cdx.json"))
    )


def test_a_release_that_lost_its_signature_is_not_deployed(signed):
    """The live release keeps serving; with the signature restored, deploy passes again."""
    signed.mlops("deploy", "--env", "dev")
    (file,) = (signed.folder / "build/store").rglob("*.sigstore.json")
    signature = file.read_bytes()
    file.unlink()
    refused = signed.mlops("deploy", "--env", "dev", check=False)
    status = signed.mlops("status").stdout
    file.write_bytes(signature)
    assert refused.returncode == 1 and "P122 " in refused.stderr
    assert "Traceback" not in refused.stderr and "dev" in status
    assert "already" in signed.mlops("deploy", "--env", "dev").stdout
