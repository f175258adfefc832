"""Rollback: back to what ran here, the bad release in quarantine, and no way around that."""

from pathlib import Path

import pytest

from mlops import git
from mlops.releases import commits, quarantine
from mlops.releases.release import read_release, short

PRODUCTION = "environments/production/release.yaml"
QUARANTINE = "environments/quarantine.yaml"
EVERYWHERE = ("dev", "staging", "production")


def back(clone, *more, env="production", reason="too slow"):
    """Roll back as the command line does."""
    return clone.mlops("rollback", "--env", env, "--reason", reason, *more)


def test_the_release_before_is_restored(clone, two):
    """Production holds the earlier release again, and records the reason."""
    assert back(clone).code == 0
    assert clone.held("production") == two[0]
    assert read_release(Path(PRODUCTION)).spec.rollback.reason == "too slow"


def test_it_is_a_new_commit_that_supersedes_the_bad_release(clone, two):
    """History goes forward: nothing is reverted."""
    before = git.head()
    back(clone)
    assert clone.git("rev-parse", "HEAD^") == before
    assert read_release(Path(PRODUCTION)).spec.supersedes == two[1]


@pytest.mark.usefixtures("two")
def test_a_commit_on_no_branch_says_how_it_is_kept(clone):
    """Git would forget it once something else is checked out."""
    clone.git("checkout", "--quiet", "--detach")
    answer = back(clone)
    assert answer.code == 0
    assert f"`git branch NAME {git.head()[:12]}` keeps this commit" in answer.text


def test_the_bad_release_is_quarantined_in_the_same_commit(clone, two):
    """One commit holds both, so neither can be there without the other."""
    back(clone)
    touched = clone.git("show", "--name-only", "--format=", "HEAD").splitlines()
    assert touched == [PRODUCTION, "environments/quarantine.yaml"]
    assert [e.release_id for e in quarantine.entries()] == [two[1]]


def test_what_people_wrote_in_quarantine_stays(clone, two):
    """Comments and other entries are kept as they were."""
    text = f"# Mind these.\n- {{releaseId: {two[0][:-1]}0, reason: x, at: 2026-11-21T10:00:00Z}}\n"
    clone.commit("environments/quarantine.yaml", text)
    back(clone)
    assert Path("environments/quarantine.yaml").read_text("utf-8").startswith(text)


def test_what_is_in_quarantine_already_is_entered_once(clone, two):
    """People may put a release there first and roll back after that."""
    entry = f"- {{releaseId: {two[1]}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"
    clone.commit("environments/quarantine.yaml", entry)
    assert back(clone).code == 0
    assert [e.reason for e in quarantine.entries()] == ["leaks"]


def test_it_deploys(clone, two):
    """What a rollback wrote passes every check at deploy."""
    back(clone)
    assert clone.deployable("production").release_id == two[0]


def test_neither_a_freeze_nor_the_age_of_evidence_holds_it_back(clone, two):
    """Going back is always open."""
    clone.freeze("production")
    clone.edit("environments/production/policy.yaml", "max_age_hours: 72", "max_age_hours: 0.1")
    assert back(clone).code == 0
    assert clone.deployable("production").release_id == two[0]


def test_a_named_release(clone, two):
    """--to goes further back than one step, by the id or the short form that `status` shows."""
    clone.ship(*EVERYWHERE, model="three")
    assert back(clone, "--to", short(two[0])).code == 0
    assert clone.held("production") == two[0]


def test_releases_in_quarantine_are_passed_over(clone, two):
    """The newest one that is not in quarantine is taken."""
    clone.ship(*EVERYWHERE, model="three")
    entry = f"- {{releaseId: {two[1]}, reason: bad too, at: '2026-11-21T10:00:00Z'}}\n"
    clone.commit("environments/quarantine.yaml", entry)
    back(clone)
    assert clone.held("production") == two[0]


@pytest.mark.usefixtures("two")
def test_the_same_command_again_goes_back_once(clone):
    """A rollback whose deployment failed is run again, and must not quarantine the good release."""
    clone.ship(*EVERYWHERE, model="three")
    back(clone)
    head = git.head()
    answer = back(clone)
    assert (answer.code, git.head()) == (0, head)
    assert "give another reason" in answer.text


@pytest.mark.usefixtures("two")
def test_a_rollback_is_told_of_a_promotion(clone):
    """Both write one file, so they take turns."""
    with commits.lock():
        assert back(clone).refusals == ["P117"]


def test_another_reason_goes_further_back(clone, two):
    """The release that was restored can be bad as well."""
    clone.ship(*EVERYWHERE, model="three")
    back(clone)
    back(clone, reason="this one leaks")
    assert clone.held("production") == two[0]


def test_the_first_release_ever(clone):
    """There is nothing to go back to, and the message names what can be done."""
    clone.ship(*EVERYWHERE)
    before = git.head()
    answer = back(clone)
    assert answer.refusals == ["P119"] and "make down ENV=production" in answer.text
    assert git.head() == before


def test_nothing_was_ever_promoted(clone):
    """An empty environment cannot go back either."""
    assert back(clone).refusals == ["P119"]


def test_a_release_that_never_ran_here(clone, two):
    """A release known in staging only is no way back for production."""
    other = clone.ship("dev", "staging", model="three")
    answer = back(clone, "--to", other)
    assert answer.refusals == ["P120"] and two[0] in answer.text


def test_back_to_a_release_in_quarantine(clone, two):
    """Undoing a rollback is stopped by the quarantine."""
    back(clone)
    assert back(clone, "--to", two[1]).refusals == ["P105"]


def test_promoting_the_bad_release_again(clone, two):
    """The environments before cannot hand it on a second time."""
    back(clone)
    clone.load_test(two[1])
    assert clone.mlops("promote", "--env", "production").refusals == ["P105"]


def test_packing_the_bad_release_again(clone, two):
    """The same build has the same id, so a retrained copy of it stays in quarantine."""
    back(clone)
    built = read_release(Path(f"environments/releases/{two[1]}.yaml"))
    assert clone.package("two", commit=built.promoted.source.commit) == two[1]
    assert clone.mlops("promote", "--env", "dev").refusals == ["P105"]


def same_model_again(clone):
    """Change a word, and build the model "two" again from that commit; return the new id."""
    clone.commit("notes.md", "A word.\n")
    return clone.package("two")


def test_the_model_of_the_bad_release_again(clone, two):
    """Any commit gives the same model another id; the message says what lifts the quarantine."""
    back(clone)
    again = same_model_again(clone)
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.refusals == ["P134"] and f"{again} has the model of {two[1]}" in answer.text
    clone.edit(QUARANTINE, "modelDigest:", "modelMayReturn: true\n  modelDigest:")
    assert clone.mlops("promote", "--env", "dev").code == 0


def test_the_model_of_an_entry_from_before(clone, two):
    """It has no digest; the catalogue has the release."""
    back(clone)
    digest = quarantine.entries()[0].model_digest
    clone.edit(QUARANTINE, f"  modelDigest: {digest}\n", "")
    assert quarantine.entries()[0].model_digest is None
    same_model_again(clone)
    assert clone.mlops("promote", "--env", "dev").refusals == ["P134"] and two


def test_the_same_model_elsewhere(clone, two):
    """A later release of a model is bad: the one before, of the same model, keeps serving."""
    same_model_again(clone)
    clone.mlops("promote", "--env", "dev")
    assert clone.mlops("promote", "--env", "staging").code == 0
    assert back(clone, env="staging").code == 0
    assert clone.deployable("production").release_id == two[1]
    assert clone.deployable("staging").release_id == two[1]
    assert clone.refused_at_deploy("dev") == ["P105"]


def test_a_model_of_its_own(clone, two):
    """Another model is not concerned."""
    back(clone)
    clone.ship("dev", "staging", "production", model="three")
    assert clone.held("production") != two[0]


def test_a_bundle_that_is_gone(clone, two):
    """It is refused before anything changes, not when the deployment fails."""
    bundle = read_release(Path(f"environments/releases/{two[0]}.yaml")).promoted.bundle
    files = [p for p in Path("build/store").rglob("*") if bundle.digest[-20:] in p.name]
    files[0].unlink()
    assert back(clone).refusals == ["P121"]


def test_a_target_whose_catalogue_entry_was_changed(clone, two):
    """The catalogue is what the restored release is compared with."""
    clone.git("rm", "-q", f"environments/releases/{two[0]}.yaml")
    clone.git("commit", "-qm", "by hand")
    assert back(clone).refusals == ["P103"]


@pytest.mark.usefixtures("two")
def test_a_quarantine_with_uncommitted_edits(clone):
    """They would be committed unseen, or lost."""
    Path("environments/quarantine.yaml").write_text("# mine\n", "utf-8")
    assert back(clone).refusals == ["P116"]
    assert Path("environments/quarantine.yaml").read_text("utf-8") == "# mine\n"


@pytest.mark.usefixtures("two")
def test_an_empty_reason(clone):
    """Whoever meets the quarantine will ask."""
    assert back(clone, reason=" ").code == 2


@pytest.mark.usefixtures("two")
def test_a_broken_model_section_is_no_obstacle(clone):
    """Going back does not depend on the code that may be broken."""
    clone.edit("params.yaml", "{any: 1}", "{any: [thing, goes]}")
    assert back(clone).code == 0


def test_a_revert_by_git(clone, two):
    """`git revert` of a promotion brings back a file that supersedes something long gone."""
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.held("production") == two[0]
    assert clone.refused_at_deploy("production") == ["P106"]


@pytest.mark.usefixtures("two")
def test_a_rollback_after_a_revert_by_git(clone):
    """It would go the wrong way, so it asks for the file to be put back first."""
    clone.git("revert", "--no-edit", "HEAD")
    assert back(clone).refusals == ["P106"]


def test_a_revert_of_a_rollback(clone, two):
    """It takes the quarantine back with it, and still does not bring the bad release back."""
    back(clone)
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.held("production") == two[1] and quarantine.entries() == ()
    assert clone.refused_at_deploy("production") == ["P106"]


def test_a_revert_of_a_promotion_that_is_not_the_newest(clone, two):
    """Git has a conflict there; the rollback by id has none."""
    promotion = clone.git("log", "--format=%H", "-2", "--", PRODUCTION).splitlines()[1]
    clone.ship("dev", model="three")
    with pytest.raises(Exception, match="revert"):
        clone.git("revert", "--no-edit", promotion)
    clone.git("revert", "--abort")
    assert back(clone, "--to", two[0]).code == 0


@pytest.mark.usefixtures("two")
def test_a_hand_made_mark_of_a_rollback(clone):
    """The mark spares evidence and freeze, so it is believed only for what ran here."""
    bad = clone.ship("dev", "staging", model="three")
    text = Path("environments/staging/release.yaml").read_text("utf-8")
    text = text.replace("  promoted:\n", "  rollback: {reason: trust me}\n  promoted:\n")
    clone.commit(PRODUCTION, text)
    assert clone.held("production") == bad
    assert "P120" in clone.refused_at_deploy("production")
