"""The bill of materials: what is inside is listed, what is not is not, in the versions locked."""

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
    """The clone with a release built."""
    package(clone, promoted)
    return clone


def listed(clone):
    """What the step writes."""
    answer = clone.mlops("sbom")
    assert answer.code == 0, answer.text
    return json.loads(SBOM.read_text("utf-8"))


def packages(made):
    """Names and versions of the packages listed."""
    return {c["name"]: c["version"] for c in made["components"] if c["type"] == "library"}


def component(made, kind):
    """The one component of a kind."""
    (found,) = [part for part in made["components"] if part["type"] == kind]
    return found


def test_what_the_lock_installs_is_listed_in_its_versions(built):
    """What the service does not need, such as pandas here, is not."""
    found, lock = packages(listed(built)), LOCK.read_text("utf-8")
    assert found["numpy"] == re.search(r"(?m)^numpy==(\S+)", lock)[1]
    assert ("pandas" in found) == bool(re.search("(?m)^pandas==", lock))


def test_every_pin_for_this_python_is_listed_and_no_other(built):
    """A lock is for every Python and system; a bundle is served by one."""
    pins = dict(re.findall(r"(?m)^([a-z0-9._-]+)==[^ ]+( ;.*)?", LOCK.read_text("utf-8")))
    left_out = pins.keys() - packages(listed(built)).keys()
    assert all(pins[name] for name in left_out)
    # Here that is xgboost: Linux takes xgboost-cpu.
    assert {name for name, marker in pins.items() if "== 'darwin'" in marker} <= left_out


@pytest.mark.parametrize(("python", "there"), [("3.11.2", True), ("3.12.0", False)])
def test_markers_decide(python, there):
    """A backport is listed for the Python that needs it."""
    lock = 'tomli==2.0.1 ; python_full_version < "3.12" \\\n    --hash=sha256:00\n    # via x\n'
    assert [part["name"] for part in sbom.locked(lock, python)] == ["tomli"] * there


def test_the_model_is_listed_with_its_data_and_metrics(built):
    """A bill for machine learning: digest, hyperparameters, what it was measured at."""
    made, told = listed(built), read_release().promoted
    model, data = component(made, "machine-learning-model"), component(made, "data")
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert f"sha256:{model['hashes'][0]['content']}" == told.model.digest
    assert f"sha256:{data['hashes'][0]['content']}" == told.data.fingerprint
    assert metrics[0]["type"] == "auc"
    assert metrics[0]["confidenceInterval"] == {"lowerBound": "0.6", "upperBound": "0.8"}


def test_it_is_cyclonedx(built):
    """Valid by the schema; one with a mistake is not."""
    made, schema = listed(built), JsonStrictValidator(SchemaVersion.V1_6)
    assert schema.validate_str(json.dumps(made)) is None
    assert schema.validate_str(json.dumps(made | {"licence": "any"})) is not None


def test_listing_twice_lists_the_same(built):
    """One release, one bill beside its bundle."""
    listed(built)
    listed(built)
    assert len(list(STORE.rglob("*.cdx.json"))) == 1


def test_what_is_signed_names_the_bill(demanding):
    """So that nobody exchanges it afterwards; a release without one is signed as well."""
    listed(demanding)
    payload = json.loads(sign(demanding).read_text("utf-8"))["dsseEnvelope"]["payload"]
    (named,) = json.loads(b64decode(payload))["predicate"]["runDetails"]["byproducts"]
    assert named == {
        "name": "sbom",
        "digest": {"sha256": files.digest_file(SBOM).removeprefix("sha256:")},
    }
    assert demanding.mlops("promote", "--env", "dev").code == 0 and at_deploy() == []


def layer_with(installed):
    """A layer in which these packages lie as pip would leave them."""
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
    """Push an image in which these packages are installed; return its reference."""
    repository = f"http://{host}/v2/any/service"

    def blob(content):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        place = httpx.post(f"{repository}/blobs/uploads/").headers["Location"]
        place = httpx.URL(place).copy_merge_params({"digest": digest})
        httpx.put(place, content=content).raise_for_status()
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
def test_an_image_is_listed_as_it_is(built, registry):
    """Not as the lock would have it: by syft, from what really lies in its layers."""
    ref = push(registry, {"numpy": "1.2.3", "intruder": "6.6.6"})
    seal(read_release().promoted, image={"ref": ref, "platform": "linux/amd64"})
    made = listed(built)
    assert packages(made) == {"numpy": "1.2.3", "intruder": "6.6.6"}
    assert ref.endswith(made["metadata"]["component"]["hashes"][0]["content"])
    assert component(made, "machine-learning-model")


def test_an_image_that_cannot_be_read_is_named(built):
    """No bill rather than a wrong one."""
    ref = f"127.0.0.1:9/any/service@sha256:{'0' * 64}"
    seal(read_release().promoted, image={"ref": ref, "platform": "linux/amd64"})
    answer = built.mlops("sbom")
    assert answer.code == 2 and f"syft cannot list {ref}" in answer.text
    assert not SBOM.exists() and not list(STORE.rglob("*.cdx.json"))
