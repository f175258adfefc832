"""Releases signed by a workflow through Sigstore, without a key: the same checks apply."""

import json
import re
from base64 import b64decode
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from machinery.tests.signing.released import POLICY, at_deploy, package, sign, stored_signatures
from machinery.tests.signing.small_sigstore import ISSUER
from mlops.paths import SIGNATURE


def refused(workflow):
    """The rules that refuse the promotion of the built release, and the whole output."""
    answer = workflow.mlops("promote", "--env", "dev")
    return answer.refusals, answer.text


def test_a_release_signed_by_the_workflow_passes(workflow, sigstore):
    """The certificate names the workflow, and the log has the entry."""
    assert sigstore.identity in workflow.mlops("sign").text
    assert workflow.mlops("promote", "--env", "dev").code == 0
    assert (at_deploy(), len(sigstore.entries)) == ([], 1)


def test_the_statement_names_workflow_and_run(workflow):
    """SLSA calls them builder and invocation."""
    sign(workflow)
    envelope = json.loads(SIGNATURE.read_text("utf-8"))["dsseEnvelope"]
    details = json.loads(b64decode(envelope["payload"]))["predicate"]["runDetails"]
    assert details["builder"]["id"].endswith("o/r/.github/workflows/release.yml@refs/heads/main")
    run = "https://github.com/o/r/actions/runs/7/attempts/1"
    assert details["metadata"]["invocationId"] == run


@pytest.mark.parametrize(
    ("old", "new"),
    [("release.yml@refs/heads/main", "release.yml@refs/heads/mine"), ("/o/r/", "/mallory/r/")],
)
def test_another_workflow_is_refused(workflow, sigstore, old, new):
    """P123 names the signer: another branch, or a fork."""
    sigstore.identity = sigstore.identity.replace(old, new)
    sign(workflow)
    rules, text = refused(workflow)
    assert rules == ["P123"] and f"signed by {sigstore.identity}" in text


def refused_everywhere(workflow, sigstore):
    """The rules that refuse the built release at each step, and the output of the promotion.

    The policy demands nothing while the release is promoted, as if nobody had looked at it then.
    """
    rules, text = refused(workflow)
    base, committed = workflow.git("rev-parse", "HEAD"), Path(POLICY).read_text("utf-8")
    workflow.commit(POLICY, "".join(re.split("signed_by: .*\n", committed)))
    answer = workflow.mlops("promote", "--env", "dev")
    assert answer.code == 0, answer.text
    workflow.commit(POLICY, committed)
    for step in (("check-release", "--base", base), ("deploy", "--env", "dev")):
        assert workflow.mlops(*step).refusals == rules, step
    assert at_deploy() == rules and len(sigstore.entries) == 1
    return rules, text


SHOWN = ("repository", "ref")
OURS, MALLORY = "https://github.com/o/r", "https://github.com/mallory/x"
PULL_REQUEST, TAG = "refs/pull/1/merge", "refs/tags/v1"
BAD_SOURCES = {
    "another repository": {"repository": MALLORY},
    "another branch": {"ref": "refs/heads/mine"},
    "a pull request": {"ref": PULL_REQUEST},
    "a tag": {"ref": TAG},
    "a tag named like the branch": {"ref": "refs/tags/main"},
    "a branch named like the ref": {"ref": "refs/heads/refs/heads/main"},
    "a repository that begins alike": {"repository": "https://github.com/o/r2"},
    "another server": {"repository": "https://github.example/o/r"},
    "no repository": {"repository": None},
    "no ref": {"ref": None},
    "no source": {"repository": None, "ref": None, "commit": None, "workflow": None},
}


@pytest.mark.parametrize("source", BAD_SOURCES.values(), ids=BAD_SOURCES)
def test_our_workflow_called_from_elsewhere_is_refused(workflow, sigstore, source):
    """P133: anybody can call a public workflow at our branch, with files and code of their own."""
    sigstore.source |= source
    sign(workflow)
    rules, text = refused_everywhere(workflow, sigstore)
    assert rules == ["P133"]
    assert f"is signed by {sigstore.identity}, in a run of " in text
    unnamed = "the certificate does not name"
    assert all((value or unnamed) in text for key, value in source.items() if key in SHOWN)
    assert "dev allows https://github.com/o/r at refs/heads/main." in text
    assert "environments/dev/policy.yaml" in text


@pytest.mark.parametrize("ref", [PULL_REQUEST, TAG])
def test_our_workflow_at_a_ref_that_the_policy_does_not_name_is_refused(workflow, sigstore, ref):
    """P123: a pull request or a tag changes the identity, too, if the call names no ref."""
    sigstore.identity = sigstore.identity.replace("refs/heads/main", ref)
    sigstore.source["ref"] = ref
    sign(workflow)
    assert refused_everywhere(workflow, sigstore)[0] == ["P123"]


def test_going_back_to_a_release_signed_from_elsewhere_is_refused(workflow, sigstore, promoted):
    """P133 at the rollback; going back to one of our own passes."""
    policy = Path(POLICY).read_text("utf-8")
    workflow.commit(POLICY, policy.replace("signed_by", "# signed_by"))
    ids = []
    for model, repository in (("one", OURS), ("two", MALLORY), ("three", OURS)):
        sigstore.source["repository"] = repository
        package(workflow, promoted, model)
        sign(workflow)
        assert workflow.mlops("promote", "--env", "dev").code == 0
        ids.append(workflow.held("dev"))
    workflow.commit(POLICY, policy)
    back = ("rollback", "--env", "dev", "--reason", "slow", "--to")
    assert workflow.mlops(*back, ids[1]).refusals == ["P133"]
    assert (workflow.mlops(*back, ids[0]).code, workflow.held("dev")) == (0, ids[0])


def test_the_workflow_of_another_repository_is_refused(workflow, sigstore):
    """P133: a central workflow would sign for everybody who calls it, and the error gives a way."""
    named = sigstore.identity
    sigstore.identity = named.replace("/o/r/", "/central/signing/")
    workflow.edit(POLICY, named, sigstore.identity)
    sign(workflow)
    rules, text = refused_everywhere(workflow, sigstore)
    assert rules == ["P133"] and "in a run of https://github.com/o/r at refs/heads/main" in text
    assert "dev allows https://github.com/central/signing at refs/heads/main" in text
    assert "copy it into yours" in text


def test_a_signature_from_elsewhere_beside_a_good_one_does_no_harm(workflow, sigstore):
    """A writer to the store cannot block a release with it."""
    home = dict(sigstore.source)
    sigstore.source["repository"] = MALLORY
    sign(workflow)
    sigstore.source = home
    sign(workflow)
    assert len(stored_signatures()) == 2
    assert workflow.mlops("promote", "--env", "dev").code == 0


def test_a_certificate_with_two_workflows_is_refused(workflow, sigstore):
    """P124: the identity is ours, but the extension names who signed otherwise."""
    sigstore.source["workflow"] = f"{MALLORY}/.github/workflows/release.yml@refs/heads/main"
    sign(workflow)
    rules, text = refused_everywhere(workflow, sigstore)
    assert rules == ["P124"] and f"names the workflow {MALLORY}/.github" in text


def test_a_certificate_without_the_workflow_s_extension_passes(workflow, sigstore):
    """Its identity is the workflow."""
    sigstore.source["workflow"] = None
    sign(workflow)
    assert workflow.mlops("promote", "--env", "dev").code == 0


def test_a_person_s_identity_needs_no_source(workflow, sigstore):
    """An own Sigstore may certify others than GitHub's workflows, by an issuer in the policy."""
    named, sigstore.identity = sigstore.identity, "https://people.example/ann"
    sigstore.issuer, sigstore.source = "https://accounts.example", {"workflow": None}
    workflow.edit(POLICY, f"'{named}'", f"'{sigstore.identity}', issuer: {sigstore.issuer}")
    sign(workflow)
    assert workflow.mlops("promote", "--env", "dev").code == 0


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [
        ("https://github.com/o/r", ISSUER),
        (
            "https://git.example/o/r/.github/workflows/a.yml@refs/heads/main",
            "https://git.example/_services/token",
        ),
    ],
    ids=["no workflow", "a server of one's own"],
)
def test_any_identity_of_github_needs_a_source(workflow, sigstore, identity, issuer):
    """P133, whatever the identity or issuer looks like."""
    named, sigstore.identity, sigstore.issuer = sigstore.identity, identity, issuer
    sigstore.source["repository"] = MALLORY
    workflow.edit(POLICY, f"'{named}'", f"'{identity}', issuer: {issuer}")
    sign(workflow)
    assert refused(workflow)[0] == ["P133"]


COMMIT = "c" * 40
BAD_COMMITS = {
    "says nothing": {"repository": None, "commit": None, "ref": None},
    "called from elsewhere": {"repository": MALLORY},
    "another branch": {"ref": "refs/heads/mine"},
    "a pull request": {"ref": PULL_REQUEST},
    "another commit": {"commit": "d" * 40},
}


def test_the_workflow_at_a_commit_of_the_branch_passes(workflow, sigstore):
    """GitHub may name a called workflow by the commit of its run, and the policy names a branch."""
    named = sigstore.identity
    sigstore.identity = named.replace("refs/heads/main", COMMIT)
    text = workflow.mlops("sign").text
    assert f"is signed by {sigstore.identity}" in text and f"write the branch: {named}" in text
    answer = workflow.mlops("promote", "--env", "dev")
    assert answer.code == 0 and f"is signed by {sigstore.identity}" in answer.text


@pytest.mark.parametrize("source", BAD_COMMITS.values(), ids=BAD_COMMITS)
def test_the_workflow_at_a_commit_of_elsewhere_is_refused(workflow, sigstore, source):
    """P133: whoever may push can call it at a commit of theirs, and anybody from a repository."""
    sigstore.identity = sigstore.identity.replace("refs/heads/main", COMMIT)
    sigstore.source |= source
    sign(workflow)
    assert refused_everywhere(workflow, sigstore)[0] == ["P133"]


@pytest.mark.parametrize(
    ("source", "rules"),
    [
        ({}, []),
        ({"commit": "d" * 40}, ["P133"]),
        ({"commit": None}, ["P133"]),
        ({"repository": MALLORY}, ["P133"]),
    ],
    ids=["that commit", "another commit", "no commit", "another repository"],
)
def test_a_policy_that_names_a_commit_takes_only_that_commit(workflow, sigstore, source, rules):
    """The run must have built the commit of its workflow, on whichever branch."""
    named = sigstore.identity
    sigstore.identity = named.replace("refs/heads/main", COMMIT)
    workflow.edit(POLICY, named, sigstore.identity)
    sigstore.source |= {"ref": "refs/heads/other", **source}
    sign(workflow)
    assert refused(workflow)[0] == rules


def test_a_policy_that_names_no_full_ref_takes_nothing(workflow, sigstore):
    """P133: `v1` may be a branch or a tag, and anybody who may push could make the other one."""
    named = sigstore.identity
    sigstore.identity = named.replace("refs/heads/main", "v1")
    workflow.edit(POLICY, named, sigstore.identity)
    sigstore.source["ref"] = TAG
    sign(workflow)
    assert refused(workflow)[0] == ["P133"]


def test_another_issuer_is_refused(workflow, sigstore):
    """The same identity, certified by another issuer, is refused."""
    sign(workflow)
    workflow.edit(POLICY, f"'{sigstore.identity}'", f"'{sigstore.identity}', issuer: https://a.b")
    assert refused(workflow)[0] == ["P123"]


def test_a_signature_of_another_sigstore_is_refused(workflow, sigstore):
    """P124: its certificates lead to a root that is not trusted here."""
    sign(workflow)
    other = type(sigstore)()
    workflow.commit("environments/signers/sigstore.json", json.dumps(other.trust()))
    other.stop()
    assert refused(workflow)[0] == ["P124"]


def change(name, *path):
    """A function that replaces a part of a signature by that of a later signature."""

    def apply(first, second):
        target, source = first, second
        for key in path[:-1]:
            target, source = target[key], source[key]
        assert target[path[-1]] != source[path[-1]]
        target[path[-1]] = source[path[-1]]

    return pytest.param(apply, id=name)


@pytest.mark.parametrize(
    "damage",
    [
        change("statement", "dsseEnvelope", "payload"),
        change("certificate", "verificationMaterial", "certificate"),
        change("entry of the log", "verificationMaterial", "tlogEntries"),
        change("proof", "verificationMaterial", "tlogEntries", 0, "inclusionProof", "rootHash"),
    ],
)
def test_a_signature_combined_from_two_is_refused(workflow, promoted, damage):
    """P124: each part is genuine, but they do not belong together."""
    package(workflow, promoted, "two")
    second = json.loads(sign(workflow).read_text("utf-8"))
    package(workflow, promoted, "one")
    sign(workflow)
    file = next(f for f in stored_signatures() if f.read_bytes() == SIGNATURE.read_bytes())
    first = json.loads(file.read_text("utf-8"))
    damage(first, second)
    file.write_text(json.dumps(first), "utf-8")
    assert refused(workflow)[0] == ["P124"]


def test_an_expired_certificate_is_refused(workflow, sigstore):
    """P124: the log entry is an hour later than the ten minutes of the certificate's validity."""
    sigstore.late = 3600
    sign(workflow)
    assert refused(workflow)[0] == ["P124"]


def test_a_signature_outlives_its_certificate(workflow, sigstore, monkeypatch):
    """The time in the log counts, not the current one, so a rollback works months later."""
    sigstore.behind = timedelta(hours=1)

    class AnHourAgo(datetime):
        """The clock of a client that signs an hour ago, with a valid certificate."""

        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - sigstore.behind

    with monkeypatch.context() as clock:
        clock.setattr("sigstore.sign.datetime", AnHourAgo)
        sign(workflow)
    assert workflow.mlops("promote", "--env", "dev").code == 0


def test_a_key_does_not_count_where_a_workflow_is_demanded(workflow, keys):
    """P123: a key is not the workflow."""
    keys("ours")
    sign(workflow)
    assert refused(workflow)[0] == ["P123"]


def test_a_workflow_does_not_count_where_a_key_is_demanded(workflow, keys, monkeypatch, sigstore):
    """P123, without a request to Sigstore."""
    keys("ours")
    monkeypatch.delenv("MLOPS_SIGNING_KEY")
    workflow.edit(POLICY, f"identity: '{sigstore.identity}'", "key: ours")
    sign(workflow)
    workflow.git("rm", "-q", "environments/signers/sigstore.json")
    workflow.git("commit", "-qm", "No roots")
    assert refused(workflow)[0] == ["P123"]


PRIVATE = {"repository": {"private": True}}


@pytest.mark.parametrize(
    ("payload", "has_public_roots"),
    [(PRIVATE, False), (PRIVATE, True), ({}, False)],
    ids=["private", "public roots", "visibility unknown"],
)
def test_a_private_repository_does_not_sign_into_the_public_log(
    workflow, sigstore, monkeypatch, payload, has_public_roots
):
    """Its name would stay in a public log; since the policy demands a signature, it is an error."""
    event = Path("build/event.json").absolute()
    event.write_text(json.dumps(payload), "utf-8")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    workflow.git("rm", "-q", "environments/signers/sigstore.json")
    workflow.git("commit", "-qm", "No Sigstore of our own")
    if has_public_roots:
        public = json.dumps(sigstore.trust()).replace(sigstore.url, "https://rekor.sigstore.dev")
        workflow.commit("environments/signers/sigstore.json", public)
    answer = workflow.mlops("sign")
    assert answer.code == 2 and "the repository is private" in answer.text
    assert stored_signatures() == []


def test_a_private_repository_signs_with_a_sigstore_of_its_own(workflow, monkeypatch, tmp_path):
    """That log is not public."""
    event = tmp_path / "build" / "event.json"
    event.write_text('{"repository": {"private": true}}', "utf-8")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    sign(workflow)
    assert workflow.mlops("promote", "--env", "dev").code == 0


def test_a_workflow_without_the_permission_gets_an_error(workflow, monkeypatch):
    """The error names the permission."""
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "somebody else's")
    answer = workflow.mlops("sign")
    assert answer.code == 2 and "id-token: write" in answer.text


def test_a_sigstore_out_of_reach_is_an_error(workflow, sigstore, monkeypatch):
    """After three attempts the step exits with 2, and nothing is signed."""
    monkeypatch.setattr("mlops.signing.keyless.PAUSES", (0, 0))
    trust = sigstore.trust()
    trust["signingConfig"]["caUrls"][0]["url"] = "http://127.0.0.1:9"
    workflow.commit("environments/signers/sigstore.json", json.dumps(trust))
    answer = workflow.mlops("sign")
    assert answer.code == 2 and "Sigstore did not sign" in answer.text and stored_signatures() == []


def test_a_failed_request_to_sigstore_is_repeated(workflow, sigstore, monkeypatch):
    """The first answer is 503."""
    monkeypatch.setattr("mlops.signing.keyless.PAUSES", (0, 0))
    sigstore.failures = 1
    sign(workflow)
    assert len(stored_signatures()) == 1
