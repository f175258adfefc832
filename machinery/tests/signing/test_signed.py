"""Signed releases: every kind of bad signature is refused at promotion and deployment."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from machinery.tests.signing.released import (
    DEMAND,
    POLICY,
    STORE,
    at_deploy,
    package,
    seal,
    sign,
    stored_signatures,
)
from mlops import files
from mlops.errors import UserError
from mlops.paths import CACHE
from mlops.releases.environments import environment
from mlops.releases.release import Image, read_release
from mlops.releases.store import Store
from mlops.signing import keyless
from mlops.signing.check import SIGNATURE_SUFFIX, check_signature

ROOT = Path(__file__).parents[3]


def at_both(clone):
    """The rules that refuse the promotion, and those that refuse the deployment without it.

    `check-release` must refuse by the same rules as the deployment.
    """
    refused, base = clone.mlops("promote", "--env", "dev").refusals, clone.git("rev-parse", "HEAD")
    clone.edit(POLICY, DEMAND, "")
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.code == 0, answer.text
    clone.edit(POLICY, "from: build\n", f"from: build\n{DEMAND}")
    assert clone.mlops("check-release", "--base", base).refusals == at_deploy()
    return refused, at_deploy()


def test_a_signed_release_passes(demanding):
    """A good signature passes at promotion and deployment."""
    sign(demanding)
    assert demanding.mlops("promote", "--env", "dev").code == 0
    assert at_deploy() == []


def test_an_unsigned_release_is_refused(demanding):
    """P122 names the expected signers and the store."""
    answer = demanding.mlops("promote", "--env", "dev")
    assert "build/store" in answer.text and "dev demands one by the key ours" in answer.text
    assert at_both(demanding) == (["P122"], ["P122"])


@pytest.mark.parametrize("store", ["build/elsewhere", "http://127.0.0.1:9/store"])
def test_check_release_reports_a_store_out_of_reach(demanding, monkeypatch, store):
    """The check of a fork's pull request has no access to the store; `deploy` checks again."""
    sign(demanding)
    base = demanding.git("rev-parse", "HEAD")
    assert demanding.mlops("promote", "--env", "dev").code == 0
    reachable = demanding.mlops("check-release", "--base", base)
    assert reachable.code == 0 and "signature" not in reachable.text
    monkeypatch.setenv("MLOPS_STORE", store)
    answer = demanding.mlops("check-release", "--base", base)
    assert answer.code == 0 and f"the store {store} has no bundle of it" in answer.text


def test_a_missing_public_key_is_an_error_of_check_release(demanding):
    """The policy names it, so a verification without it is impossible."""
    sign(demanding)
    base = demanding.git("rev-parse", "HEAD")
    assert demanding.mlops("promote", "--env", "dev").code == 0
    Path("environments/signers/ours.pub").unlink()
    answer = demanding.mlops("check-release", "--base", base)
    assert answer.code == 2 and "environments/signers/ours.pub, is missing" in answer.text


def test_an_environment_without_demand_accepts_an_unsigned_release(demanding):
    """A fork without any setup works."""
    demanding.edit(POLICY, DEMAND, "")
    assert demanding.mlops("promote", "--env", "dev").code == 0
    assert at_deploy() == []


def test_an_unknown_key_is_refused(demanding, keys):
    """P123 names the key that signed; a committed key is trusted only if the policy names it."""
    keys("theirs")
    sign(demanding)
    answer = demanding.mlops("promote", "--env", "dev")
    assert "signed by the key theirs; dev demands one of: the key ours" in answer.text
    assert at_both(demanding) == (["P123"], ["P123"])


def with_statement(text, change):
    """A signature with another statement in it."""
    bundle = json.loads(text)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(change(payload)).decode()
    return json.dumps(bundle)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: with_statement(text, lambda old: old.replace(b"urn:mlops:own", b"urn:evil")),
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"sig":"', '"sig":"AAAA'),
        lambda text: text.replace("application/vnd.in-toto+json", "application/json"),
    ],
    ids=["statement", "cut short", "another file", "signature", "type"],
)
def test_a_signature_that_was_changed_is_refused(demanding, damage):
    """P124 refuses it, without a traceback."""
    sign(demanding)
    (file,) = stored_signatures()
    file.write_text(damage(file.read_text("utf-8")), "utf-8")
    assert at_both(demanding) == (["P124"], ["P124"])


def paths_in(value, path=()):
    """The paths to all values in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items if isinstance(value, dict | list) else ():
        yield (*path, key)
        yield from paths_in(inner, (*path, key))


def replaced(value, path, junk):
    """The text of a JSON value in which one value is exchanged."""
    copy = inner = json.loads(json.dumps(value))
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return json.dumps(copy).encode()


@pytest.mark.parametrize("signed", ["demanding", "workflow"])
def test_no_malformed_signature_raises_an_error(signed, request):
    """It is refused, whichever of its values is exchanged; so is one that is nested too deep."""
    sign(request.getfixturevalue(signed))
    (file,) = stored_signatures()
    good = json.loads(file.read_text("utf-8"))
    for junk in (None, 0, "", "AAAA", [], {}, [{}], "\ud800"):
        for path in paths_in(good):
            file.write_bytes(replaced(good, path, junk))
            refused = check_signature(environment("dev"), read_release(), Store(str(STORE)))
            assert not refused or refused[0].rule in ("P123", "P124"), (path, junk)
    file.write_bytes(b"[" * 100_000)
    (refusal,) = check_signature(environment("dev"), read_release(), Store(str(STORE)))
    assert refusal.rule == "P124"


def test_bundle_bytes_that_were_changed_are_refused(demanding):
    """P124: a good signature does not help if the bytes have another digest."""
    sign(demanding)
    (bundle,) = STORE.rglob("*.tar")
    bundle.write_bytes(bundle.read_bytes().replace(b"one", b"two"))
    shutil.rmtree(CACHE)
    assert at_both(demanding) == (["P124"], ["P124"])


def test_the_signature_of_another_bundle_is_refused(demanding, promoted):
    """P125: it is copied to a bundle without signature."""
    sign(demanding)
    (signature,) = stored_signatures()
    package(demanding, promoted, model="two")
    digest = read_release().promoted.bundle.digest
    Store(str(STORE)).attach(digest, SIGNATURE_SUFFIX, signature.read_bytes())
    assert at_both(demanding) == (["P125", "P126"], ["P125", "P126"])


@pytest.mark.parametrize(
    ("part", "values", "rule"),
    [
        ("model", {"digest": f"sha256:{'0' * 64}"}, "P126"),
        ("source", {"commit": "HEAD~1"}, "P127"),
        ("image", {"ref": f"r/i@sha256:{'0' * 64}", "platform": "linux/amd64"}, "P128"),
        ("contract", {"output": f"sha256:{'0' * 64}"}, "P129"),
        ("settings", {"threshold": "0.9"}, "P129"),
    ],
)
def test_a_release_that_names_another_part_is_refused(demanding, part, values, rule):
    """Anybody who can write release files can seal them anew, but the signature differs."""
    sign(demanding)
    values = {k: demanding.git("rev-parse", v) if v == "HEAD~1" else v for k, v in values.items()}
    seal(read_release().promoted, **{part: values})
    assert at_both(demanding) == ([rule], [rule])


def test_another_image_than_the_signed_one_is_refused(demanding):
    """P128 names both images."""
    first, second = (
        {"ref": f"r/i@sha256:{digit * 64}", "platform": "linux/amd64"} for digit in "12"
    )
    seal(read_release().promoted, image=first)
    sign(demanding)
    seal(read_release().promoted.model_copy(update={"image": Image(**first)}), image=second)
    answer = demanding.mlops("promote", "--env", "dev")
    assert f"sha256:{'2' * 64}; sha256:{'1' * 64} was signed" in answer.text
    assert answer.refusals == ["P128"]


def test_another_s_signature_beside_a_good_one_does_no_harm(demanding):
    """A writer to the store cannot block a signed release."""
    sign(demanding)
    for junk in (b"", b"{}", b'{"verificationMaterial": {"publicKey": {"hint": "x"}}}'):
        Store(str(STORE)).attach(read_release().promoted.bundle.digest, SIGNATURE_SUFFIX, junk)
    assert len(stored_signatures()) == 4
    assert demanding.mlops("promote", "--env", "dev").code == 0


def test_a_good_signature_by_key_needs_no_network(demanding, monkeypatch):
    """Another signature needs Sigstore, which is out of reach."""
    identity = "https://github.com/o/r/.github/workflows/release.yml@refs/heads/main"
    demanding.edit(POLICY, DEMAND, f"signed_by: [{{identity: '{identity}'}}, {{key: ours}}]\n")
    sign(demanding)
    (good,) = stored_signatures()
    digest = read_release().promoted.bundle.digest
    Store(str(STORE)).attach(digest, SIGNATURE_SUFFIX, b'{"verificationMaterial": {}}')

    def ask(_):
        raise UserError("Sigstore's root of trust was not reached")

    monkeypatch.setattr(keyless, "verify", ask)
    assert demanding.mlops("promote", "--env", "dev").code == 0
    good.unlink()
    assert "was not reached" in demanding.mlops("promote", "--env", "dev").text


def test_going_back_to_a_release_signed_earlier_passes(demanding, promoted):
    """Rollback and the deployment after it verify its signature."""
    for model in ("one", "two"):
        package(demanding, promoted, model)
        sign(demanding)
        assert demanding.mlops("promote", "--env", "dev").code == 0
    assert demanding.mlops("rollback", "--env", "dev", "--reason", "slow").code == 0
    assert environment("dev").release.promoted.model.digest == files.digest_folder(
        Path("build/models/one")
    )
    assert at_deploy() == []


def test_going_back_to_an_unsigned_release_is_refused_until_it_is_signed(demanding, promoted):
    """The refusal comes before any quarantine; a later signature makes the rollback pass."""
    demanding.edit(POLICY, DEMAND, "")
    assert demanding.mlops("promote", "--env", "dev").code == 0
    first = demanding.held("dev")
    demanding.edit(POLICY, "from: build\n", f"from: build\n{DEMAND}")
    package(demanding, promoted, "two")
    sign(demanding)
    demanding.mlops("promote", "--env", "dev")
    back = ("rollback", "--env", "dev", "--reason", "slow")
    assert demanding.mlops(*back).refusals == ["P122"]
    assert demanding.mlops("sign", "--release", first).code == 0
    assert (demanding.mlops(*back).code, demanding.held("dev")) == (0, first)


def test_a_key_is_changed_without_losing_the_way_back(demanding, keys, promoted):
    """A policy with both keys accepts the old releases; without the old key they are refused."""
    package(demanding, promoted, "old")
    sign(demanding)
    demanding.mlops("promote", "--env", "dev")
    old = demanding.held("dev")
    keys("new")
    demanding.edit(POLICY, DEMAND, "signed_by: [{key: new}, {key: ours}]\n")
    package(demanding, promoted, "new")
    sign(demanding)
    assert demanding.mlops("promote", "--env", "dev").code == 0
    assert demanding.mlops("rollback", "--env", "dev", "--reason", "slow").code == 0
    assert (demanding.held("dev"), at_deploy()) == (old, [])
    demanding.edit(POLICY, ", {key: ours}", "")
    assert at_deploy() == ["P123"]


def test_a_release_with_a_new_image_is_signed_again(demanding):
    """The first signature does not cover the image."""
    sign(demanding)
    image = {"ref": f"r/i@sha256:{'1' * 64}", "platform": "linux/amd64"}
    seal(read_release().promoted, image=image)
    sign(demanding)
    assert len(stored_signatures()) == 2
    assert demanding.mlops("promote", "--env", "dev").code == 0


def test_signing_twice_signs_once(demanding):
    """The second run reports the existing signature."""
    sign(demanding)
    assert "is signed already by the key ours" in demanding.mlops("sign").text
    assert len(stored_signatures()) == 1


@pytest.mark.parametrize(
    ("exchange", "part"), [({"model": {"digest": f"sha256:{'0' * 64}"}}, "model"), ({}, "commit")]
)
def test_a_bundle_with_another_content_is_not_signed(demanding, exchange, part):
    """`sign` compares the bundle with the release."""
    commit = {"source": {"commit": demanding.git("rev-parse", "HEAD~1")}}
    seal(read_release().promoted, **(exchange or commit))
    answer = demanding.mlops("sign")
    assert answer.code == 1 and f"names the {part} " in answer.text
    assert stored_signatures() == []


def test_a_signer_counts_once_it_is_committed(demanding):
    """P116: no review has approved a key that is not committed."""
    sign(demanding)
    shutil.copy("environments/signers/ours.pub", "environments/signers/mine.pub")
    assert demanding.mlops("promote", "--env", "dev").refusals == ["P116"]


def test_a_signer_without_its_file_is_named(demanding):
    """The policy names a key whose file is missing."""
    sign(demanding)
    demanding.edit(POLICY, "key: ours", "key: gone")
    answer = demanding.mlops("promote", "--env", "dev")
    assert answer.code == 2 and "environments/signers/gone.pub, is missing" in answer.text


def test_signatures_are_found_in_a_registry(demanding, registry, promoted, monkeypatch):
    """If the store is a registry, the signatures are there beside the bundle."""
    monkeypatch.setenv("MLOPS_STORE", f"oci://{registry}/Any/Models")
    package(demanding, promoted)
    assert demanding.mlops("promote", "--env", "dev").refusals == ["P122"]
    sign(demanding)
    answer = demanding.mlops("promote", "--env", "dev")
    assert (answer.code, at_deploy(), stored_signatures()) == (0, [], []), answer.text


@pytest.mark.usefixtures("demanding")
def test_signing_imports_nothing_of_the_model():
    """The process with the key runs neither the team's code nor a library for training."""
    for step in ("sbom", "sign"):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "mlops", step],
            env={**os.environ, "PYTHONPATH": str(ROOT / "machinery")},
            capture_output=True,
            text=True,
            check=True,
        )
        imported = set(re.findall(r"(?m)^import time: .*\| +(\w+)", done.stderr))
        assert "mlops" in imported
        assert not imported & {"model", "data", "xgboost", "bentoml", "sklearn", "numpy"}
