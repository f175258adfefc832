"""Evidence: what the load test leaves, tied to one release and one file."""

from pathlib import Path

import pytest

from mlops.errors import UserError
from mlops.files import digest_file
from mlops.releases.evidence import collected


def test_a_load_test(clone):
    """Its figures come along, with the digest of its file."""
    release_id = clone.package()
    clone.load_test(release_id, digest="claimed by the step itself")
    proof = collected(release_id)[0]
    path = Path("build/evidence", release_id, "load-test.json")
    assert (proof.figures["requests"], proof.digest) == (900, digest_file(path))


def test_a_broken_load_test(clone):
    """The message names the file and what is wrong in it."""
    release_id = clone.package()
    clone.load_test(release_id, verdict="splendid")
    with pytest.raises(UserError, match="load-test.json is not evidence: verdict"):
        collected(release_id)


@pytest.mark.parametrize("commit", [None, "", "main", "--all", 7])
def test_a_load_test_at_no_commit(clone, commit):
    """Whatever settings it ran under, nobody can look them up."""
    release_id = clone.ship("dev", "staging")
    clone.load_test(release_id, commit=commit)
    answer = clone.mlops("promote", "--env", "production")
    assert answer.code == 2 and "load-test.json is not evidence: its commit is" in answer.text
    clone.load_test(release_id)
    assert clone.mlops("promote", "--env", "production").code == 0


@pytest.mark.usefixtures("clone")
def test_none_collected():
    """No folder is no evidence."""
    assert collected("churn-20261121-0001-0123456789ab") == []
