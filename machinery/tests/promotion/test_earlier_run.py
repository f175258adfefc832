"""The evidence of an earlier run: of the environment's own workflow, or none at all."""

import io
import zipfile
from pathlib import Path

import pytest


@pytest.fixture
def earlier(clone, forge):
    """Run 77 tested what staging holds, and left evidence; nothing of it is here any more."""
    release_id = clone.ship("dev", "staging")
    clone.load_test(release_id)
    left = Path("build/evidence", release_id, "load-test.json")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(left, left.relative_to("build"))
    left.unlink()
    run = {"id": 77, "path": ".github/workflows/staging.yml", "head_branch": "staging"}
    forge.runs = [run | {"event": "push", "head_sha": clone.git("rev-parse", "HEAD")}]
    forge.artifacts = [{"id": 1, "run": 77, "name": "evidence", "content": buffer.getvalue()}]
    return release_id


def promote(clone, number="77"):
    """Promote to production with the evidence of a run."""
    return clone.mlops("promote", "--env", "production", "--run", number)


def test_it_counts(clone, earlier):
    """What the run left is what the release brings along."""
    answer = promote(clone)
    assert answer.code == 0, answer.text
    assert "run 77 left: load-test" in answer.text
    _, proof = clone.environment("production").release.spec.evidence
    assert (proof.release_id, proof.figures["requests"]) == (earlier, 900)


FORK = {"head_repository": "stranger/flights"}
UNKNOWN = {"head_sha": "1" * 40}


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": ".github/workflows/ci.yml"}, "is of .github/workflows/ci.yml on branch staging"),
        ({"head_branch": "change"}, "on branch change of owner/flights: only a run of"),
        (FORK, "on branch staging of stranger/flights: only a run of"),
        (UNKNOWN, "is of commit 111111111111, which is not part of the history here"),
    ],
    ids=["workflow", "branch", "fork", "commit"],
)
def test_a_run_of_anything_else_proves_nothing(clone, forge, change, message):
    """Whoever may open a pull request can leave an artifact of that name, with any verdict."""
    forge.runs[0] |= change
    answer = promote(clone)
    assert (answer.code, message in answer.text) == (1, True), answer.text
    assert clone.held("production") is None and not list(Path("build").rglob("load-test.json"))


def test_a_run_that_left_none_is_reported(clone, forge, earlier):
    """It may have failed before."""
    forge.artifacts = []
    answer = promote(clone)
    assert answer.code == 1 and "run 77 has no artifact 'evidence'" in answer.text
    assert earlier and clone.held("production") is None


def test_evidence_of_another_release_is_reported(clone, earlier):
    """Staging took another one since: the file asked for is named."""
    newer = clone.ship("dev", "staging", model="two")
    answer = promote(clone)
    assert answer.code == 1 and newer != earlier
    assert f"the artifact holds no evidence/{newer}/load-test.json" in answer.text


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize(("number", "message"), [("78", "has no run 78"), ("x/y", "is a number")])
def test_a_run_that_is_not_there_is_reported(clone, number, message):
    """With where its id stands."""
    answer = promote(clone, number)
    assert (answer.code, message in answer.text) == (2, True), answer.text
