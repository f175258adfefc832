"""Releases that are built, sealed and signed as by the steps, but without training."""

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from mlops import files
from mlops.paths import RELEASE, SIGNATURE
from mlops.releases.environments import environment
from mlops.releases.release import Promoted, Proof, new_release, write_release
from mlops.releases.store import Store
from mlops.signing.check import SIGNATURE_SUFFIX, check_signature

POLICY = "environments/dev/policy.yaml"
DEMAND = "signed_by: [{key: ours}]\n"
STORE = Path("build/store")
LOCK = Path(__file__).parents[3] / "requirements-serve.txt"


def package(clone, promoted, model="one"):
    """Do the work of the step `package`, with a bundle of a model, a record and a lock."""
    trained = Path("build/models", model)
    trained.mkdir(parents=True, exist_ok=True)
    (trained / "weights").write_text(model, "utf-8")
    base = promoted(clone.git("rev-parse", "HEAD"), model)
    digest = files.digest_folder(trained)
    record = {
        "source": {"commit": base.source.commit},
        "model": {"digest": digest},
        "environment": {"python": "3.12.4"},
        "params": {"values": {"model": {"max_depth": 6}}},
    }
    content = {
        "src/trained/weights": model,
        "src/record.json": json.dumps(record),
        "env/python/requirements.txt": LOCK.read_text("utf-8"),
    }
    bundle = Path("build/bundle.tar")
    with tarfile.open(bundle, "w") as tar:
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    bundle_digest = files.digest_file(bundle)
    Store(str(STORE)).put(bundle, bundle_digest)
    seal(base, bundle={"digest": bundle_digest}, model={"digest": digest})


def seal(promoted, **parts):
    """Write build/release.yaml with some parts exchanged, and the seal that matches them."""
    plain = promoted.model_dump(mode="json")
    for name, values in parts.items():
        plain[name] = {**(plain[name] or {}), **values}
    gate = Proof(
        kind="gate",
        environment="build",
        verdict="pass",
        at=datetime.now(UTC),
        digest=files.digest(b"verdict"),
        figures={"metrics": {"auc": {"value": 0.7, "low": 0.6, "high": 0.8, "constant": 0.5}}},
    )
    sealed = Promoted.model_validate_json(json.dumps(plain), by_name=True)
    write_release(RELEASE, new_release(sealed, [gate]))


def sign(clone):
    """Sign the built release; return the file of the signature."""
    answer = clone.mlops("sign")
    assert answer.code == 0, answer.text
    return SIGNATURE


def stored_signatures():
    """The signatures in the store."""
    return sorted(STORE.rglob(f"*.{SIGNATURE_SUFFIX}"))


def at_deploy(name="dev"):
    """The ids of the rules about signatures that refuse to deploy an environment's release."""
    target = environment(name)
    refusals = check_signature(target, target.release, Store(str(STORE)))
    return [refusal.rule for refusal in refusals]
