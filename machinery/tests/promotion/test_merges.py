"""No merge hides a rollback or a quarantine, whichever side it keeps; what nobody lost counts."""

from pathlib import Path

import pytest

from mlops.releases import quarantine
from mlops.releases.environment_history import release_history

PRODUCTION = "environments/production/release.yaml"
QUARANTINE = "environments/quarantine.yaml"
EVERYWHERE = ("dev", "staging", "production")


@pytest.fixture
def rolled_back(clone, two):
    """The ids of two releases; main went back to the first, the branch `stale` knows nothing."""
    clone.git("branch", "stale")
    assert clone.mlops("rollback", "--env", "production", "--reason", "slow").code == 0
    clone.git("checkout", "-q", "stale")
    clone.commit("notes.md", "A word.\n")
    return two


def quarantined():
    """The ids in quarantine."""
    return [entry.release_id for entry in quarantine.entries()]


def ours(clone, other="main"):
    """Merge another branch and keep nothing of it."""
    clone.git("merge", "-q", "-s", "ours", "-m", "Merge", other)


def test_a_merge_that_drops_a_rollback(clone, rolled_back):
    """The branch's release is the bad one again; both rules see it."""
    ours(clone)
    assert clone.held("production") == rolled_back[1]
    assert clone.refused_at_deploy("production") == ["P105", "P106"]
    assert quarantined() == [rolled_back[1]]
    answer = clone.mlops("status")
    assert "1 in quarantine" in answer.text and "rollback put" in answer.text


def test_a_dropped_quarantine_is_lifted_by_adding_and_removing_it(clone, rolled_back):
    """The message says so; the next commit alone lifts nothing."""
    ours(clone)
    clone.commit(QUARANTINE, "# None, says this commit.\n")
    assert quarantined() == [rolled_back[1]]
    assert "add it again before you remove it" in quarantine.entries()[0].reason
    clone.commit(QUARANTINE, Path(QUARANTINE).read_text("utf-8") + entry_of(rolled_back[1]))
    assert "add it again" not in quarantine.entries()[0].reason
    clone.commit(QUARANTINE, "# None.\n")
    assert quarantined() == []


def entry_of(release_id):
    """An entry as people write it."""
    return f"- {{releaseId: {release_id}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"


def test_a_merge_with_the_branch_as_second_parent(clone, rolled_back):
    """It does not matter who merged whom."""
    clone.git("checkout", "-q", "main")
    clone.git("merge", "-q", "--no-commit", "--no-ff", "stale")
    clone.git("checkout", "stale", "--", PRODUCTION, QUARANTINE)
    clone.git("commit", "-qm", "Merge")
    assert clone.refused_at_deploy("production") == ["P105", "P106"]
    assert quarantined() == [rolled_back[1]]


def test_an_ordinary_merge(clone, rolled_back):
    """Git takes the rollback over, and nothing is refused."""
    clone.git("merge", "-q", "-m", "Merge", "main")
    assert clone.deployable("production").release_id == rolled_back[0]
    assert quarantined() == [rolled_back[1]]
    assert [entry.release_id for entry in release_history("production")][:3] == [
        rolled_back[0],
        rolled_back[1],
        rolled_back[0],
    ]


def test_what_an_ordinary_commit_lifted_stays_lifted(clone, rolled_back):
    """A branch that still has the entry does not bring it back by a merge."""
    clone.git("merge", "-q", "-m", "Merge", "main")
    clone.git("checkout", "-q", "main")
    clone.commit(QUARANTINE, "# It was no fault of the release.\n")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge", "stale")
    assert rolled_back and quarantined() == []


def test_a_stale_promotion_that_gives_way_to_a_rollback(clone, rolled_back):
    """Somebody promoted before pulling, and took the other side in the conflict."""
    promote_here(clone)
    clone.git("merge", "-q", "-s", "ours", "--no-commit", "main")
    clone.git("checkout", "main", "--", PRODUCTION, QUARANTINE)
    clone.git("commit", "-qm", "Merge")
    assert clone.deployable("production").release_id == rolled_back[0]


def promote_here(clone):
    """Promote a third release to production on the stale branch."""
    release_id = clone.ship(*EVERYWHERE, model="three")
    assert clone.held("production") == release_id


def test_a_stale_promotion_that_hides_a_rollback(clone, rolled_back):
    """It was computed against the bad release, which main had replaced."""
    promote_here(clone)
    ours(clone)
    assert clone.refused_at_deploy("production") == ["P106"]
    assert quarantined() == [rolled_back[1]]


def test_a_promotion_by_merge_commit(clone, two):
    """The branch's commit and its merge are one promotion."""
    clone.git("checkout", "-qb", "promotion")
    third = clone.ship(*EVERYWHERE, model="three")
    clone.git("checkout", "-q", "main")
    clone.commit("notes.md", "A word.\n")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge", "promotion")
    assert clone.deployable("production").release_id == third
    assert [e.release_id for e in release_history("production")][:3] == [third, *two[::-1]]
    assert clone.mlops("rollback", "--env", "production", "--reason", "slow").code == 0
    assert clone.deployable("production").release_id == two[1]


def test_a_promotion_that_was_squashed_and_merged(clone, two):
    """Main has the same file by another commit than the branch, which is merged later."""
    clone.git("checkout", "-qb", "promotion")
    third = clone.ship(*EVERYWHERE, model="three")
    clone.commit("notes.md", "A word.\n")
    clone.git("checkout", "-q", "main")
    clone.git("merge", "-q", "--squash", "promotion")
    clone.git("rm", "-q", "-f", "notes.md")
    clone.git("commit", "-qm", "All in one")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge", "promotion")
    assert clone.deployable("production").release_id == third
    assert [e.release_id for e in release_history("production")][:3] == [third, *two[::-1]]
