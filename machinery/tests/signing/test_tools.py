"""The commands of machinery/docs/signing.md: independent tools verify our signatures."""

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from sigstore.models import ClientTrustConfig
from sigstore.verify import Verifier

from machinery.tests.signing.released import sign
from mlops.paths import SIGNATURE
from mlops.releases.release import read_release
from mlops.signing import keyless

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "machinery/docs/signing.md").read_text("utf-8")


def block(start):
    """The page's block of commands that begins with a text."""
    (commands,) = re.findall(rf"```bash\n({re.escape(start)}.*?)```", PAGE, re.DOTALL)
    return commands


def shell(commands, **variables):
    """Run commands in the current folder, up to the first that fails."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def by_key(demanding, monkeypatch, tmp_path_factory):
    """A release signed by the page's own commands, with a key called `release`."""
    key = tmp_path_factory.mktemp("key") / "release.pem"
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(key))
    assert demanding.mlops("sign", "--new-key", "release").code == 0
    sign(demanding)
    return demanding


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@pytest.mark.usefixtures("by_key")
def test_openssl_verifies_a_key_s_signature():
    """Three standard tools verify it, and print the release's digests."""
    done = shell(block("jq -r .dsseEnvelope.payload"))
    assert done.returncode == 0 and "Verified OK" in done.stdout, done.stderr
    assert read_release().promoted.bundle.digest[7:] in done.stdout


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@pytest.mark.usefixtures("by_key")
def test_openssl_refuses_a_changed_statement():
    """The same commands fail on a statement about another bundle."""
    change = "sed -i s/bundle/another/ build/statement.json"
    commands = block("jq -r .dsseEnvelope.payload").replace("{ printf", f"{change}\n{{ printf")
    done = shell(commands)
    assert done.returncode != 0 and "Verification failure" in done.stdout + done.stderr


def verify_workflow(sigstore, digest, ref="refs/heads/main"):
    """Run the page's command with the roots of the Sigstore on loopback."""
    command = block(".venv/bin/sigstore verify github").replace(
        ".venv/bin/sigstore",
        f"{sys.executable} -m sigstore --trust-config environments/signers/sigstore.json",
    )
    return shell(command, IDENTITY=sigstore.identity, REPOSITORY="o/r", REF=ref, DIGEST=digest)


def errors(done):
    """The errors of a command in one line; the tool wraps them."""
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("part", ["bundle", "model"])
def test_sigstore_s_own_tool_verifies_a_workflow_s_signature(workflow, sigstore, part):
    """The command takes the digest of any subject."""
    sign(workflow)
    done = verify_workflow(sigstore, getattr(read_release().promoted, part).digest)
    assert done.returncode == 0 and "OK" in done.stderr, done.stderr


def test_sigstore_s_own_tool_refuses_another_digest_workflow_or_source(workflow, sigstore):
    """Each is refused with its own reason."""
    sign(workflow)
    other = verify_workflow(sigstore, f"sha256:{'0' * 64}")
    digest = read_release().promoted.bundle.digest
    elsewhere = verify_workflow(sigstore, digest, ref="refs/heads/mine")
    sigstore.identity += "x"
    stranger = verify_workflow(sigstore, digest)
    assert other.returncode and "has no subject" in errors(other)
    assert elsewhere.returncode and "GitHubWorkflowRef does not match" in errors(elsewhere)
    assert stranger.returncode and "SANs do not match" in errors(stranger)


@pytest.mark.usefixtures("by_key")
def test_the_statement_is_in_toto_s_and_slsa_s():
    """Their own types parse it, and allow no other field."""
    payload = json.loads(b64decode(json.loads(SIGNATURE.read_text())["dsseEnvelope"]["payload"]))
    provenance = provenance_pb2.Provenance()  # pylint: disable=no-member  # created at run time
    ParseDict(payload["predicate"], provenance)
    subjects = [ResourceDescriptor(**subject).pb for subject in payload["subject"]]
    Statement(subjects, payload["predicateType"], payload["predicate"]).validate()


@pytest.mark.usefixtures("clone")
def test_sigstore_s_public_roots_can_be_kept(tmp_path_factory):
    """The page's command writes them, and they still mean the public log."""
    command = block(".venv/bin/python -c").replace(".venv/bin/python", sys.executable)
    keyless.TRUST_FILE.parent.mkdir()
    done = shell(command, HOME=str(tmp_path_factory.mktemp("home")))
    assert done.returncode == 0, done.stderr
    assert Verifier(
        trusted_root=ClientTrustConfig.from_json(keyless.TRUST_FILE.read_text()).trusted_root
    )
    assert keyless.uses_public_log()


# sigstore-js is an independent implementation in another language.
SCRIPT = """
import { bundleFromJSON } from "@sigstore/bundle";
import { Verifier, toSignedEntity } from "@sigstore/verify";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
const [file, pub] = process.argv.slice(2);
const publicKey = createPublicKey(readFileSync(pub));
const none = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trust = { ...none, publicKey: () => ({ publicKey, validFor: () => true }) };
const verifier = new Verifier(trust, { tlogThreshold: 0, timestampThreshold: 0 });
verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(readFileSync(file)))));
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A function that runs the script with sigstore-js."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "verify.mjs").write_text(SCRIPT, "utf-8")
    packages = "npm install --no-audit --no-fund @sigstore/verify@3 @sigstore/bundle@4"
    done = shell(f"cd '{folder}' && {packages}")
    if done.returncode:
        pytest.skip(f"sigstore-js could not be installed: {done.stderr.strip().splitlines()[-1]}")
    return lambda file, pub: shell(f"node '{folder}/verify.mjs' '{file}' '{pub}'")


@pytest.mark.slow
@pytest.mark.usefixtures("by_key")
def test_sigstore_js_verifies_a_key_s_signature(node):
    """sigstore-js also refuses it for another key."""
    good = node(SIGNATURE, "environments/signers/release.pub")
    bad = node(SIGNATURE, "environments/signers/ours.pub")
    assert good.returncode == 0, good.stderr
    assert bad.returncode and "VerificationError" in bad.stderr
