"""Signed releases: each way a signature can be wrong is built, and refused at both doors."""

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
    kept,
    package,
    seal,
    sign,
)
from mlops import files
from mlops.errors import UserError
from mlops.paths import CACHE
from mlops.releases.environments import environment
from mlops.releases.release import Image, read_release
from mlops.releases.store import Store
from mlops.signing import keyless
from mlops.signing.check import KIND, check_signature

ROOT = Path(__file__).parents[3]


def at_both(clone):
    """The ids that refuse the promotion, and those that refuse to deploy what slipped in.

    A pull request with what slipped in is refused by the same.
    """
    refused, base = clone.mlops("promote", "--env", "dev").refusals, clone.git("rev-parse", "HEAD")
    clone.edit(POLICY, DEMAND, "")
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.code == 0, answer.text
    clone.edit(POLICY, "from: build\n", f"from: build\n{DEMAND}")
    assert clone.mlops("check-release", "--base", base).refusals == at_deploy()
    return refused, at_deploy()


def test_a_signed_release_passes(demanding):
    """The innocent case, at both doors."""
    sign(demanding)
    assert demanding.mlops("promote", "--env", "dev").code == 0
    assert at_deploy() == []


def test_an_unsigned_release_is_refused(demanding):
    """P122 says who should have signed, and where the signature was looked for."""
    answer = demanding.mlops("promote", "--env", "dev")
    assert "build/store" in answer.text and "dev demands one by the key ours" in answer.text
    assert at_both(demanding) == (["P122"], ["P122"])


@pytest.mark.parametrize("store", ["build/elsewhere", "http://127.0.0.1:9/store"])
def test_a_store_out_of_reach_is_told_where_a_release_is_to_be_merged(
    demanding, monkeypatch, store
):
    """The check of a fork's pull request has no key to the store: `deploy` asks again."""
    sign(demanding)
    base = demanding.git("rev-parse", "HEAD")
    assert demanding.mlops("promote", "--env", "dev").code == 0
    seen = demanding.mlops("check-release", "--base", base)
    assert seen.code == 0 and "signature" not in seen.text
    monkeypatch.setenv("MLOPS_STORE", store)
    answer = demanding.mlops("check-release", "--base", base)
    assert answer.code == 0 and f"the store {store} has no bundle of it" in answer.text


def test_a_key_that_is_gone_is_no_store_out_of_reach(demanding):
    """The policy names it: that nobody can look is a mistake, and told at the merge."""
    sign(demanding)
    base = demanding.git("rev-parse", "HEAD")
    assert demanding.mlops("promote", "--env", "dev").code == 0
    Path("environments/signers/ours.pub").unlink()
    answer = demanding.mlops("check-release", "--base", base)
    assert answer.code == 2 and "environments/signers/ours.pub, is missing" in answer.text


def test_an_environment_that_demands_nothing_takes_it(demanding):
    """As in a fork that nobody set up."""
    demanding.edit(POLICY, DEMAND, "")
    assert demanding.mlops("promote", "--env", "dev").code == 0
    assert at_deploy() == []


def test_an_unknown_key_is_refused(demanding, keys):
    """P123 names the key that signed; that it lies beside the others does not make it trusted."""
    keys("theirs")
    sign(demanding)
    answer = demanding.mlops("promote", "--env", "dev")
    assert "signed by the key theirs; dev demands one of: the key ours" in answer.text
    assert at_both(demanding) == (["P123"], ["P123"])


def with_statement(text, change):
    """A signature's file with another statement in it."""
    bundle = json.loads(text)
    said = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(change(said)).decode()
    return json.dumps(bundle)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: with_statement(text, lambda said: said.replace(b"urn:mlops:own", b"urn:evil")),
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"sig":"', '"sig":"AAAA'),
        lambda text: text.replace("application/vnd.in-toto+json", "application/json"),
    ],
    ids=["statement", "cut short", "another file", "signature", "type"],
)
def test_a_signature_that_was_changed_is_refused(demanding, damage):
    """P124 at both doors, and never a traceback."""
    sign(demanding)
    (file,) = kept()
    file.write_text(damage(file.read_text("utf-8")), "utf-8")
    assert at_both(demanding) == (["P124"], ["P124"])


def places(value, path=()):
    """The paths to everything in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items if isinstance(value, dict | list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def replaced(value, path, junk):
    """A JSON value with one place in it exchanged, as a file holds it."""
    copy = inner = json.loads(json.dumps(value))
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return json.dumps(copy).encode()


@pytest.mark.parametrize("signed", ["demanding", "workflow"])
def test_no_file_in_the_store_makes_it_stumble(signed, request):
    """Whatever stands in any place of it, it is refused; so is what is too deep to read."""
    sign(request.getfixturevalue(signed))
    (file,) = kept()
    good = json.loads(file.read_text("utf-8"))
    for junk in (None, 0, "", "AAAA", [], {}, [{}], "\ud800"):
        for path in places(good):
            file.write_bytes(replaced(good, path, junk))
            refused = check_signature(environment("dev"), read_release(), Store(str(STORE)))
            assert not refused or refused[0].rule in ("P123", "P124"), (path, junk)
    file.write_bytes(b"[" * 100_000)
    (refusal,) = check_signature(environment("dev"), read_release(), Store(str(STORE)))
    assert refusal.rule == "P124"


def test_bundle_bytes_that_were_changed_are_refused(demanding):
    """P124: a signature over a digest is worth no more than the bytes that hash to it."""
    sign(demanding)
    (bundle,) = STORE.rglob("*.tar")
    bundle.write_bytes(bundle.read_bytes().replace(b"one", b"two"))
    shutil.rmtree(CACHE)
    assert at_both(demanding) == (["P124"], ["P124"])


def test_the_signature_of_another_bundle_is_refused(demanding, promoted):
    """P125: copied beside a bundle that nobody signed."""
    sign(demanding)
    (signature,) = kept()
    package(demanding, promoted, model="two")
    digest = read_release().promoted.bundle.digest
    Store(str(STORE)).attach(digest, KIND, signature.read_bytes())
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
    """Whoever can write release files can seal them anew; the signature still tells."""
    sign(demanding)
    values = {k: demanding.git("rev-parse", v) if v == "HEAD~1" else v for k, v in values.items()}
    seal(read_release().promoted, **{part: values})
    assert at_both(demanding) == ([rule], [rule])


def test_another_image_than_the_signed_one_is_refused(demanding):
    """P128 names both."""
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
    """Who can write to the store cannot stop a release that is signed."""
    sign(demanding)
    for junk in (b"", b"{}", b'{"verificationMaterial": {"publicKey": {"hint": "x"}}}'):
        Store(str(STORE)).attach(read_release().promoted.bundle.digest, KIND, junk)
    assert len(kept()) == 4
    assert demanding.mlops("promote", "--env", "dev").code == 0


def test_the_signature_of_a_key_asks_nobody(demanding, monkeypatch):
    """Beside it lies one that only Sigstore could judge, which is out of reach."""
    identity = "https://github.com/o/r/.github/workflows/release.yml@refs/heads/main"
    demanding.edit(POLICY, DEMAND, f"signed_by: [{{identity: '{identity}'}}, {{key: ours}}]\n")
    sign(demanding)
    (good,) = kept()
    digest = read_release().promoted.bundle.digest
    Store(str(STORE)).attach(digest, KIND, b'{"verificationMaterial": {}}')

    def ask(_):
        raise UserError("Sigstore's root of trust was not reached")

    monkeypatch.setattr(keyless, "verify", ask)
    assert demanding.mlops("promote", "--env", "dev").code == 0
    good.unlink()
    assert "was not reached" in demanding.mlops("promote", "--env", "dev").text


def test_going_back_to_a_release_signed_earlier_passes(demanding, promoted):
    """Rollback and the deployment after it ask for the signature it has."""
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
    """Before anything is quarantined; who has the key may vouch for it then."""
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
    """The old key stays named until its releases are gone; without it they are refused."""
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


def test_what_was_made_after_the_signature_is_signed_anew(demanding):
    """An image, as here, or a bill of materials: the same key did sign, but not that."""
    sign(demanding)
    image = {"ref": f"r/i@sha256:{'1' * 64}", "platform": "linux/amd64"}
    seal(read_release().promoted, image=image)
    sign(demanding)
    assert len(kept()) == 2
    assert demanding.mlops("promote", "--env", "dev").code == 0


def test_signing_twice_signs_once(demanding):
    """The second time it says so."""
    sign(demanding)
    assert "is signed already by the key ours" in demanding.mlops("sign").text
    assert len(kept()) == 1


@pytest.mark.parametrize(
    ("exchange", "what"), [({"model": {"digest": f"sha256:{'0' * 64}"}}, "model"), ({}, "commit")]
)
def test_nobody_signs_a_bundle_that_holds_something_else(demanding, exchange, what):
    """A key vouches for what it has seen."""
    commit = {"source": {"commit": demanding.git("rev-parse", "HEAD~1")}}
    seal(read_release().promoted, **(exchange or commit))
    answer = demanding.mlops("sign")
    assert answer.code == 1 and f"names the {what} " in answer.text
    assert kept() == []


def test_a_signer_counts_once_it_is_committed(demanding):
    """P116: a key that only lies here was agreed to by nobody."""
    sign(demanding)
    shutil.copy("environments/signers/ours.pub", "environments/signers/mine.pub")
    assert demanding.mlops("promote", "--env", "dev").refusals == ["P116"]


def test_a_signer_without_its_file_is_named(demanding):
    """A policy that names a key that nobody committed."""
    sign(demanding)
    demanding.edit(POLICY, "key: ours", "key: gone")
    answer = demanding.mlops("promote", "--env", "dev")
    assert answer.code == 2 and "environments/signers/gone.pub, is missing" in answer.text


def test_signatures_are_found_in_a_registry(demanding, registry, promoted, monkeypatch):
    """Where the store is one, beside the bundle, as in a folder."""
    monkeypatch.setenv("MLOPS_STORE", f"oci://{registry}/Any/Models")
    package(demanding, promoted)
    assert demanding.mlops("promote", "--env", "dev").refusals == ["P122"]
    sign(demanding)
    answer = demanding.mlops("promote", "--env", "dev")
    assert (answer.code, at_deploy(), kept()) == (0, [], []), answer.text


@pytest.mark.usefixtures("demanding")
def test_who_signs_imports_nothing_of_the_model():
    """What can sign anything runs neither the team's code nor what trains and serves it."""
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
