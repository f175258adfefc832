"""The SBOM lists exactly the packages of the release, in their versions."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from base64 import b64decode

import httpx
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from machinery.tests.signing.released import LOCK, STORE, at_deploy, package, seal, sign
from mlops import files
from mlops.paths import SBOM
from mlops.releases.release import read_release
from mlops.signing import sbom


@pytest.fixture
def built(clone, promoted):
    """The clone with a built release."""
    package(clone, promoted)
    return clone


def sbom_of(clone):
    """Run the step and return its SBOM."""
    answer = clone.mlops("sbom")
    assert answer.code == 0, answer.text
    return json.loads(SBOM.read_text("utf-8"))


def packages(document):
    """Names and versions of the packages in an SBOM."""
    return {c["name"]: c["version"] for c in document["components"] if c["type"] == "library"}


def component(document, kind):
    """The one component of a kind."""
    (part,) = [part for part in document["components"] if part["type"] == kind]
    return part


def test_what_the_lock_installs_is_listed_in_its_versions(built):
    """What the service does not need, such as pandas here, is not."""
    versions, lock = packages(sbom_of(built)), LOCK.read_text("utf-8")
    assert versions["numpy"] == re.search(r"(?m)^numpy==(\S+)", lock)[1]
    assert ("pandas" in versions) == bool(re.search("(?m)^pandas==", lock))


def test_every_pin_for_this_python_is_listed_and_no_other(built):
    """A lock is for every Python and system; a bundle is served by one."""
    pins = dict(re.findall(r"(?m)^([a-z0-9._-]+)==[^ ]+( ;.*)?", LOCK.read_text("utf-8")))
    left_out = pins.keys() - packages(sbom_of(built)).keys()
    assert all(pins[name] for name in left_out)
    # Here that is xgboost: Linux takes xgboost-cpu.
    assert {name for name, marker in pins.items() if "== 'darwin'" in marker} <= left_out


@pytest.mark.parametrize(("python", "is_listed"), [("3.11.2", True), ("3.12.0", False)])
def test_markers_decide(python, is_listed):
    """A backport is listed for the Python that needs it."""
    lock = 'tomli==2.0.1 ; python_full_version < "3.12" \\\n    --hash=sha256:00\n    # via x\n'
    assert [part["name"] for part in sbom.locked(lock, python)] == ["tomli"] * is_listed


def test_it_lists_the_model_with_its_data_and_metrics(built):
    """An SBOM for machine learning holds digest, hyperparameters and metrics."""
    document, promoted = sbom_of(built), read_release().promoted
    model, data = component(document, "machine-learning-model"), component(document, "data")
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert f"sha256:{model['hashes'][0]['content']}" == promoted.model.digest
    assert f"sha256:{data['hashes'][0]['content']}" == promoted.data.fingerprint
    assert metrics[0]["type"] == "auc"
    assert metrics[0]["confidenceInterval"] == {"lowerBound": "0.6", "upperBound": "0.8"}


def test_it_is_cyclonedx(built):
    """It is valid by the schema, and with a mistake it is not."""
    document, schema = sbom_of(built), JsonStrictValidator(SchemaVersion.V1_6)
    assert schema.validate_str(json.dumps(document)) is None
    assert schema.validate_str(json.dumps(document | {"licence": "any"})) is not None


def test_listing_twice_lists_the_same(built):
    """There is one SBOM beside the bundle of a release."""
    sbom_of(built)
    sbom_of(built)
    assert len(list(STORE.rglob("*.cdx.json"))) == 1


def test_the_signed_statement_names_the_sbom(demanding):
    """So nobody can exchange it later."""
    sbom_of(demanding)
    payload = json.loads(sign(demanding).read_text("utf-8"))["dsseEnvelope"]["payload"]
    (named,) = json.loads(b64decode(payload))["predicate"]["runDetails"]["byproducts"]
    assert named == {
        "name": "sbom",
        "digest": {"sha256": files.digest_file(SBOM).removeprefix("sha256:")},
    }
    assert demanding.mlops("promote", "--env", "dev").code == 0 and at_deploy() == []


def layer_with(installed):
    """A layer with these packages, as pip installs them."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, version in installed.items():
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
            folder = f"app/lib/python3.12/site-packages/{name}-{version}.dist-info"
            entry = tarfile.TarInfo(f"{folder}/METADATA")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return layer.getvalue()


def push(host, installed):
    """Push an image with these packages; return its reference."""
    repository = f"http://{host}/v2/any/service"

    def blob(content):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        location = httpx.post(f"{repository}/blobs/uploads/").headers["Location"]
        url = httpx.URL(location).copy_merge_params({"digest": digest})
        httpx.put(url, content=content).raise_for_status()
        return {"digest": digest, "size": len(content)}

    layer = layer_with(installed)
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}}
    config["rootfs"]["diff_ids"] = [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    image = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{image}.manifest.v1+json",
        "config": {"mediaType": f"{image}.config.v1+json", **blob(json.dumps(config).encode())},
        "layers": [{"mediaType": f"{image}.layer.v1.tar+gzip", **blob(gzip.compress(layer))}],
    }
    headers = {"Content-Type": manifest["mediaType"]}
    answer = httpx.put(f"{repository}/manifests/v1", content=json.dumps(manifest), headers=headers)
    answer.raise_for_status()
    return f"{host}/any/service@{answer.headers['Docker-Content-Digest']}"


@pytest.mark.slow
def test_for_an_image_it_lists_the_packages_in_the_layers(built, registry):
    """syft finds them, whatever the lock holds."""
    ref = push(registry, {"numpy": "1.2.3", "intruder": "6.6.6"})
    seal(read_release().promoted, image={"ref": ref, "platform": "linux/amd64"})
    document = sbom_of(built)
    assert packages(document) == {"numpy": "1.2.3", "intruder": "6.6.6"}
    assert ref.endswith(document["metadata"]["component"]["hashes"][0]["content"])
    assert component(document, "machine-learning-model")


def test_an_image_that_cannot_be_read_is_an_error(built):
    """The step writes no SBOM rather than a wrong one."""
    ref = f"127.0.0.1:9/any/service@sha256:{'0' * 64}"
    seal(read_release().promoted, image={"ref": ref, "platform": "linux/amd64"})
    answer = built.mlops("sbom")
    assert answer.code == 2 and f"syft cannot list {ref}" in answer.text
    assert not SBOM.exists() and not list(STORE.rglob("*.cdx.json"))
