"""The checks at deploy: what HEAD holds is believed only as far as it can be proven."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops.errors import Refused
from mlops.releases.release import read_release
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.integrity import check_catalogue

DEV, STAGING, PRODUCTION = (
    f"environments/{name}/release.yaml" for name in ("dev", "staging", "production")
)


@pytest.mark.parametrize("name", ["dev", "staging", "production"])
def test_what_was_promoted_is_deployed(clone, two, name):
    """What a promotion wrote passes."""
    assert clone.deployable(name).release_id == two[1]


def test_nothing_was_promoted_yet(clone):
    """The message names the command that brings the first release."""
    with pytest.raises(Refused, match="P118(.|\n)*make promote ENV=dev"):
        clone.deployable("dev")


@pytest.mark.parametrize("file", ["release.yaml", "settings.yaml", "policy.yaml"])
@pytest.mark.usefixtures("two")
def test_an_edit_that_is_not_committed(clone, file):
    """What runs is what HEAD holds, settings included."""
    path = Path("environments/production", file)
    path.write_text(path.read_text("utf-8") + "# hand\n", "utf-8")
    assert clone.refused_at_deploy("production") == ["P116"]


@pytest.mark.usefixtures("two")
def test_a_file_that_is_no_release(clone):
    """An unknown field is reported with its line."""
    clone.edit(PRODUCTION, "spec:\n", "spec:\n  replicas: 2\n")
    with pytest.raises(Refused, match=r"P101(.|\n)*production/release.yaml:\d+: spec.replicas"):
        clone.deployable("production")


@pytest.mark.usefixtures("two")
def test_a_hand_edit(clone):
    """A digest changed on the main branch breaks the seal."""
    clone.edit(PRODUCTION, "bytes: 9", "bytes: 10")
    with pytest.raises(Refused, match="P102"):
        clone.deployable("production")


@pytest.mark.usefixtures("two")
def test_a_hand_edit_beside_the_seal(clone):
    """Evidence and origin are not sealed; an edit shows all the same: no promotion made it."""
    clone.edit(PRODUCTION, "p95_ms: 31.0", "p95_ms: 3.0")
    assert clone.refused_at_deploy("production") == ["P106"]


@pytest.mark.parametrize("removed", [True, False])
@pytest.mark.usefixtures("two")
def test_a_hand_edit_taken_back(clone, removed):
    """Undoing a hand edit is no promotion; what was there before is deployed again."""
    if removed:
        clone.git("rm", "-q", PRODUCTION)
        clone.git("commit", "-qm", "by hand")
    else:
        clone.edit(PRODUCTION, "bytes: 9", "bytes: 10")
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.refused_at_deploy("production") == []


def test_a_hand_edit_with_a_new_seal(clone, two):
    """Whoever recomputes the hash still has no entry in the catalogue."""
    clone.edit(PRODUCTION, "bytes: 9", "bytes: 10")
    text = Path(PRODUCTION).read_text("utf-8")
    seal = read_release(Path(PRODUCTION)).promoted.seal
    clone.commit(PRODUCTION, text.replace(two[1], f"{two[1][:-12]}{seal}"))
    assert "P103" in clone.refused_at_deploy("production")


def test_a_changed_catalogue(clone, two):
    """The catalogue is written once: the content of an id stays."""
    clone.edit(f"environments/releases/{two[1]}.yaml", "bytes: 9", "bytes: 10")
    with pytest.raises(Refused, match="P102"):
        clone.deployable("production")


def test_a_catalogue_with_other_content(clone, promoted):
    """The seal is 12 digits, which somebody could hit: all of it is compared, and the id."""
    other = clone.package().replace("-0001-", "-0009-")
    release, policy = read_release(), clone.environment("dev").policy
    for update in ({"promoted": promoted(model="two")}, {"release_id": other}):
        spec = release.spec.model_copy(update=update)
        entry = release.model_copy(update={"spec": spec})
        facts = Facts("dev", release, policy, datetime.now(UTC), catalogue_entry=entry)
        assert [refusal.rule for refusal in check_catalogue(facts)] == ["P103"]


def test_two_releases_with_one_number(clone, two):
    """Two catalogues merged into one, each with its own 0002."""
    text = Path(f"environments/releases/{two[1]}.yaml").read_text("utf-8")
    other = f"{two[1][:-12]}0123456789ab"
    clone.commit(f"environments/releases/{other}.yaml", text.replace(two[1], other))
    assert clone.refused_at_deploy("production") == ["P104"]


def test_quarantined_after_it_was_promoted(clone, two):
    """A release is taken out of service everywhere by one entry."""
    entry = f"- {{releaseId: {two[1]}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"
    clone.commit("environments/quarantine.yaml", entry)
    assert clone.refused_at_deploy("production") == ["P105"]


@pytest.mark.usefixtures("two")
def test_a_promotion_computed_before_a_rollback(clone):
    """The base moved while a pull request was open; its file was merged all the same."""
    clone.ship("dev", "staging", model="three")
    clone.load_test(clone.held("staging"))
    clone.git("checkout", "-qb", "promote")
    assert clone.mlops("promote", "--env", "production").code == 0
    text = Path(PRODUCTION).read_text("utf-8")
    clone.git("checkout", "-q", "main")
    assert clone.mlops("rollback", "--env", "production", "--reason", "slow").code == 0
    clone.commit(PRODUCTION, text)
    assert clone.refused_at_deploy("production") == ["P106"]


@pytest.mark.usefixtures("two")
def test_the_remedy_for_a_file_out_of_place(clone):
    """The command in P106 makes the environment deployable again."""
    clone.git("revert", "--no-edit", "HEAD")
    answer = clone.mlops("promote", "--env", "production")
    command = re.search(r"`git (checkout \w+ -- \S+)` and commit", answer.text)[1]
    clone.git(*command.split(" "))
    clone.git("commit", "-qm", "Put back")
    assert clone.refused_at_deploy("production") == []


def test_an_older_release_written_by_hand(clone, two):
    """Without the mark of a rollback nothing goes back."""
    old = clone.git("log", "--format=%H", "--", STAGING).splitlines()[1]
    text = clone.git("show", f"{old}:{STAGING}")
    clone.commit(STAGING, text.replace("spec:\n", f"spec:\n  supersedes: {two[1]}\n"))
    assert clone.refused_at_deploy("staging") == ["P107"]


@pytest.mark.usefixtures("two")
def test_a_stage_that_was_skipped(clone):
    """Dev's file copied to production: staging never held it."""
    clone.ship("dev", model="three")
    clone.commit(PRODUCTION, Path(DEV).read_text("utf-8"))
    assert clone.refused_at_deploy("production") == ["P108", "P109"]


def test_a_release_that_was_given_another_number(clone):
    """The seal is over what is promoted, so it still fits: the catalogue shows which came first."""
    release_id = clone.ship("dev")
    other = release_id.replace("-0001-", "-0009-")
    entry = Path("environments/releases", f"{release_id}.yaml").read_text("utf-8")
    clone.commit(f"environments/releases/{other}.yaml", entry.replace(release_id, other))
    text = Path(DEV).read_text("utf-8").replace(release_id, other)
    clone.commit(DEV, text.replace("spec:\n", f"spec:\n  supersedes: {release_id}\n"))
    assert clone.refused_at_deploy("dev") == ["P104"]


def test_a_release_that_was_copied_by_hand(clone):
    """What `package` wrote, put where `promote` would have: it came from nowhere."""
    release_id = clone.package()
    text = Path("build/release.yaml").read_text("utf-8")
    clone.commit(f"environments/releases/{release_id}.yaml", text)
    clone.commit(DEV, text)
    assert clone.refused_at_deploy("dev")[-1] == "P108"


@pytest.mark.usefixtures("two")
def test_a_stage_that_is_only_claimed(clone):
    """Staging is asked what it held at the commit named."""
    clone.ship("dev", model="three")
    text = (
        Path(DEV)
        .read_text("utf-8")
        .replace("promotedFrom:\n    environment: build", "promotedFrom:\n    environment: staging")
    )
    clone.commit(PRODUCTION, text)
    assert "P108" in clone.refused_at_deploy("production")


@pytest.mark.parametrize("claimed", ["HEAD", "HEAD^"], ids=["aside", "another"])
@pytest.mark.usefixtures("two")
def test_a_rollback_to_what_did_not_run_here(clone, claimed):
    """On a branch aside it did, at the commit before it was another: the mark spares nothing."""
    clone.git("checkout", "-qb", "aside")
    clone.ship("dev", "staging", "production", model="three")
    text = Path(PRODUCTION).read_text("utf-8")
    origin = f"environment: production\n    commit: {clone.git('rev-parse', claimed)}\n"
    clone.git("checkout", "-q", "--detach", "HEAD^")
    text = re.sub(r"environment: staging\n    commit: \S+\n", origin, text, count=1)
    mark = "  rollback: {reason: trust me}\n  promoted:\n"
    clone.commit(PRODUCTION, text.replace("  promoted:\n", mark))
    assert clone.refused_at_deploy("production") == ["P120"]


@pytest.mark.usefixtures("two")
def test_evidence_taken_out_of_the_file(clone):
    """It is asked for again, at the time of the promotion."""
    clone.forge(PRODUCTION, ("kind: load-test", "kind: smoke-test"))
    assert clone.refused_at_deploy("production") == ["P109"]


def test_evidence_about_another_release(clone, two):
    """The id in the evidence counts, not the file it stands in."""
    figures = "    figures:\n      p95_ms: 31.0\n      requests: 900\n    releaseId: "
    clone.forge(PRODUCTION, (f"{figures}{two[1]}", f"{figures}{two[0]}"))
    assert clone.refused_at_deploy("production") == ["P110"]


@pytest.mark.usefixtures("two")
def test_evidence_that_was_too_old_already(clone):
    """A policy can become stricter: what is older than it allows is tested again."""
    clone.edit("environments/production/policy.yaml", "max_age_hours: 72", "max_age_hours: 0.5")
    assert clone.refused_at_deploy("production") == ["P112"]


def test_evidence_that_expired_while_the_pull_request_was_open(clone, monkeypatch):
    """The age counts to the merge; what was fresh when it was opened may be stale by then."""
    release_id = clone.ship("dev", "staging")
    clone.load_test(release_id, age=timedelta(hours=71))
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    monkeypatch.setenv("GIT_COMMITTER_DATE", later)
    assert clone.mlops("promote", "--env", "production").code == 0
    assert "P112" in clone.refused_at_deploy("production")


@pytest.mark.usefixtures("two")
def test_a_freeze_that_opened_after_the_merge(clone):
    """It is judged at deploy as well."""
    clone.freeze("production")
    assert clone.refused_at_deploy("production") == ["P114"]


def test_a_freeze_and_a_release_that_runs_already(clone, two):
    """Bringing the same release up again is no change."""
    clone.freeze("production")
    assert clone.refused_at_deploy("production", live=two[1]) == []


@pytest.mark.usefixtures("two")
def test_a_source_commit_that_is_gone(clone):
    """A release built on a commit that this history does not have cannot be looked up."""
    clone.git("checkout", "-q", "--orphan", "rewritten")
    clone.git("commit", "-qm", "All anew")
    assert "P115" in clone.refused_at_deploy("dev")


@pytest.mark.usefixtures("two")
def test_a_promotion_from_a_commit_nobody_has(clone):
    """What staging held is looked up in the history, so that commit must be part of it."""
    commit = read_release(Path(PRODUCTION)).spec.promoted_from.commit
    clone.forge(PRODUCTION, (commit, "4" * 39 + "f"))
    assert clone.refused_at_deploy("production") == ["P108", "P115"]


@pytest.mark.usefixtures("two")
def test_a_promotion_from_the_future(clone):
    """A later date would make old evidence look fresh, or fresh evidence old."""
    at = read_release(Path(PRODUCTION)).spec.promoted_from.at
    later = at + timedelta(hours=1)
    texts = (f"at: '{moment:%Y-%m-%dT%H:%M:%SZ}'\n  promoted:" for moment in (at, later))
    clone.forge(PRODUCTION, tuple(texts))
    assert clone.refused_at_deploy("production") == ["P113"]
