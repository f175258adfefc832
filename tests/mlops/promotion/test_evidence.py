"""Evidence: what other steps leave below build/, tied to one release and one file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops.errors import UserError
from mlops.evidence import collected, gate_proof
from mlops.files import digest_file

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def verdict(clone):  # pylint: disable=unused-argument # it makes the working directory
    """The gate's verdict on the record with the digest sha256:1."""
    path = Path("build/verdict.json")
    path.parent.mkdir()
    found = {"verdict": "pass", "reason": "All 9 checks passed.", "record": "sha256:1"}
    path.write_text(json.dumps({**found, "findings": []}), "utf-8")
    return path


def test_the_gates_verdict(verdict):
    """It keeps verdict, reason and the digest of the file they were read from."""
    proof = gate_proof("sha256:1", NOW)
    assert (proof.verdict, proof.digest) == ("pass", digest_file(verdict))


@pytest.mark.usefixtures("verdict")
def test_a_verdict_on_another_model():
    """A model trained after the gate has not been judged."""
    with pytest.raises(UserError, match="make gate"):
        gate_proof("sha256:2", NOW)


@pytest.mark.usefixtures("clone")
def test_no_verdict():
    """The message says which step gives one."""
    with pytest.raises(UserError, match="make gate"):
        gate_proof("sha256:1", NOW)


def test_a_load_test(clone):
    """Its figures come along, with the digest of its file."""
    release_id = clone.package()
    clone.load_test(release_id, digest="said by the step itself")
    found = collected(release_id)[0]
    path = Path("build/evidence", release_id, "load-test.json")
    assert (found.figures["requests"], found.digest) == (900, digest_file(path))


def test_a_broken_load_test(clone):
    """The message names the file and what is wrong in it."""
    release_id = clone.package()
    clone.load_test(release_id, verdict="splendid")
    with pytest.raises(UserError, match="load-test.json is not evidence: verdict"):
        collected(release_id)


@pytest.mark.usefixtures("clone")
def test_none_collected():
    """No folder is no evidence."""
    assert collected("churn-20261121-0001-0123456789ab") == []
