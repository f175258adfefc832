"""Which pull requests may move a release: one promotion or rollback, alone, and sound."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops import git
from mlops.releases import gather
from mlops.releases.release import Origin, Release, Rollback, read_release
from mlops.releases.rules import table

PRODUCTION = "environments/production/release.yaml"
DEV = "environments/dev/release.yaml"
STAGING = "environments/staging/release.yaml"


def checked(clone, base="origin/main"):
    """Check what HEAD changes since it left origin's main."""
    return clone.mlops("check-release", "--base", base)


@pytest.fixture
def staged(clone, forge):
    """The id of a release that dev holds on main."""
    del forge
    release_id = clone.ship("dev")
    clone.merge()
    return release_id


def test_a_promotion_may(clone, forge):
    """The first one, with its entry in the catalogue, and the next one."""
    del forge
    release_id = clone.ship("dev")
    assert f"dev may take {release_id}" in checked(clone).text
    clone.merge()
    clone.ship("staging")
    assert checked(clone).code == 0


def test_a_rollback_may(clone, two, forge):
    """It also changes the quarantine."""
    del forge
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    assert f"production goes back to {two[0]}" in checked(clone).text


def test_what_moves_nothing_may(clone, forge):
    """Code, settings, policy and quarantine are changed by people."""
    del forge
    clone.commit("code.py", "answer = 43\n")
    clone.edit("environments/dev/settings.yaml", "port: 3001", "port: 3009")
    clone.commit("environments/quarantine.yaml", "# None still.\n")
    assert "none that decides a release" in checked(clone).text


def test_a_new_environment_may_come_and_go(clone, forge):
    """With an empty release file; removed as a whole."""
    del forge
    for name in ("release", "settings", "policy"):
        text = Path(f"environments/dev/{name}.yaml").read_text("utf-8")
        clone.commit(f"environments/trial/{name}.yaml", text)
    assert checked(clone).code == 0
    clone.merge()
    clone.git("rm", "-rq", "environments/trial")
    clone.git("commit", "-qm", "It was tried")
    assert checked(clone).code == 0


def test_two_environments(clone, staged):
    """One pull request, one environment."""
    del staged
    clone.ship("dev", "staging", model="two")
    answer = checked(clone)
    assert answer.refusals == ["P130"] and "dev, staging" in answer.text


@pytest.mark.parametrize(
    "file",
    [
        "environments/staging/settings.yaml",
        "environments/staging/policy.yaml",
        "environments/releases/{}.yaml",
        "code.py",
    ],
)
def test_a_promotion_with_something_beside_it(clone, staged, file):
    """Settings, a policy, code or a change of the catalogue with it are refused, and named."""
    file = file.format(staged)
    clone.ship("staging")
    clone.commit(file, Path(file).read_text("utf-8") + "# more\n")
    answer = checked(clone)
    assert answer.refusals == ["P130"] and file in answer.text


def test_a_promotion_that_takes_a_quarantine_away(clone, staged):
    """Only a rollback touches the quarantine."""
    del staged
    clone.ship("staging")
    clone.commit("environments/quarantine.yaml", "# All good.\n")
    assert checked(clone).refusals == ["P130"]


def test_a_rollback_that_frees_another_release(clone, two, forge):
    """It adds to the quarantine, and takes nothing out."""
    del forge
    other = "churn-20260101-0009-0123456789ab"
    entry = f"- {{releaseId: {other}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"
    clone.commit("environments/quarantine.yaml", entry)
    clone.merge()
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    clone.edit("environments/quarantine.yaml", entry, "")
    answer = checked(clone)
    assert answer.refusals == ["P130"] and f"takes {other} out" in answer.text and two


def test_a_rollback_that_bars_another_release(clone, two, forge):
    """Who agrees to go back has agreed to that one being barred, and to no other."""
    del forge
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    text = Path("environments/quarantine.yaml").read_text("utf-8")
    other = "churn-20260101-0009-0123456789ab"
    entry = f"- {{releaseId: {other}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"
    clone.commit("environments/quarantine.yaml", text + entry)
    answer = checked(clone)
    assert answer.refusals == ["P130"] and f"quarantines {other} beside {two[1]}" in answer.text


def test_a_rollback_that_bars_nothing(clone, two, forge):
    """Without its quarantine the bad release would come back."""
    del forge
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    clone.commit("environments/quarantine.yaml", "# None yet.\n")
    answer = checked(clone)
    assert answer.refusals == ["P130"] and f"does not quarantine {two[1]}" in answer.text


def test_the_catalogue_alone(clone, staged):
    """It is written once, by the promotion that enters a release."""
    clone.edit(f"environments/releases/{staged}.yaml", "bytes: 9", "bytes: 8")
    assert checked(clone).refusals == ["P130"]


@pytest.mark.parametrize("emptied", [True, False])
def test_a_release_taken_away(clone, staged, emptied):
    """An environment is emptied by no pull request, nor left without its file."""
    assert staged
    if emptied:
        clone.commit(DEV, Path(STAGING).read_text("utf-8"))
    else:
        clone.git("rm", "-q", DEV)
        clone.git("commit", "-qm", "by hand")
    assert checked(clone).refusals == ["P130"]


def test_a_new_environment_that_brings_a_release(clone, staged):
    """What it holds first is promoted like all that follows."""
    assert staged
    for name in ("release", "settings", "policy"):
        text = Path(f"environments/dev/{name}.yaml").read_text("utf-8")
        clone.commit(f"environments/trial/{name}.yaml", text)
    assert checked(clone).refusals == ["P130"]


def test_a_release_edited_by_hand(clone, staged):
    """The seal shows it."""
    assert staged
    clone.edit(DEV, "bytes: 9", "bytes: 8")
    assert checked(clone).refusals == ["P102"]


def test_a_release_brought_back_by_git(clone, two, forge):
    """A revert is no rollback."""
    del two, forge
    clone.git("revert", "--no-edit", "HEAD")
    assert "P106" in checked(clone).refusals


def test_the_base_moved(clone, two, forge):
    """What was computed to replace another release cannot be merged."""
    del forge
    release_id = clone.ship("dev", "staging", model="three")
    clone.merge()
    clone.load_test(release_id)
    clone.git("checkout", "-qb", "promotion")
    clone.mlops("promote", "--env", "production")
    clone.git("checkout", "-q", "main")
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    clone.merge()
    clone.git("checkout", "-q", "promotion")
    answer = checked(clone)
    assert answer.refusals == ["P106"] and f"rollback put {two[0]} there" in answer.text


def test_quarantined_on_the_base(clone, staged):
    """The pull request does not know it yet; the base does."""
    clone.git("checkout", "-qb", "promotion")
    clone.ship("staging")
    clone.git("checkout", "-q", "main")
    entry = f"- {{releaseId: {staged}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"
    clone.commit("environments/quarantine.yaml", entry)
    clone.merge()
    clone.git("checkout", "-q", "promotion")
    assert checked(clone).refusals == ["P105"]


def test_evidence_is_judged_as_of_the_merge(clone, forge):
    """A proposal that waited until its load test was too old is red, whenever it was computed."""
    del forge
    release_id = clone.ship("dev", "staging")
    clone.merge()
    clone.load_test(release_id, age=timedelta(hours=71))
    clone.mlops("promote", "--env", "production")
    production, base = clone.environment("production"), clone.git("rev-parse", "origin/main")
    now = datetime.now(UTC)
    for later, rules in ((0, []), (2, ["P112"])):
        moment = now + timedelta(hours=later)
        facts = gather.for_merge(production, production.release, base, moment)
        assert [refusal.rule for refusal in table.refusals(table.MERGE, facts)] == rules


def test_a_freeze(clone, staged):
    """Nothing is merged into an environment in its freeze; what is proposed waits."""
    assert staged
    clone.ship("staging")
    clone.git("checkout", "-q", "HEAD~1")
    clone.freeze("staging")
    clone.git("push", "-q", "origin", "HEAD:main")
    clone.git("checkout", "-q", "main")
    clone.git("-c", "core.editor=true", "rebase", "-q", "origin/main")
    assert checked(clone).refusals == ["P114"]


def test_the_merge_that_github_tries(clone, staged, monkeypatch, tmp_path_factory):
    """On a pull request HEAD is a merge; what main got meanwhile is none of its changes."""
    assert staged
    clone.git("checkout", "-qb", "change")
    clone.commit("code.py", "answer = 43\n")
    clone.git("checkout", "-q", "main")
    clone.ship("staging")
    clone.git("checkout", "-q", "--detach")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge", "change")
    event = tmp_path_factory.mktemp("event") / "event.json"
    event.write_text(json.dumps({"pull_request": {}}), "utf-8")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    assert "1 files changed, none" in clone.mlops("check-release").text


def test_a_base_that_is_not_known(clone):
    """The message names what to fetch or name."""
    answer = clone.mlops("check-release")
    assert answer.code == 2 and "--base" in answer.text


def squashed(clone):
    """Put all that HEAD changes into one commit, as GitHub's squash does."""
    clone.git("reset", "-q", "--soft", "origin/main")
    clone.git("commit", "-qm", "All in one")


@pytest.mark.parametrize("merge", [True, False])
def test_a_rollback_to_what_only_the_pull_request_held(clone, two, forge, merge):
    """Its first commit puts an untested release there, its second one goes "back" to it."""
    del forge
    untested = clone.ship("dev", "staging", model="three")
    clone.merge()
    source = read_release(Path(STAGING))
    here = {"supersedes": two[1], "rollback": None}
    first = Release(spec=source.spec.model_copy(update=here))
    clone.commit(PRODUCTION, first.text)
    origin = Origin(environment="production", commit=git.head(), at=datetime.now(UTC))
    marked = here | {"promoted_from": origin, "rollback": Rollback(reason="trust me")}
    Path(PRODUCTION).write_text(Release(spec=source.spec.model_copy(update=marked)).text, "utf-8")
    entry = f"- {{releaseId: {two[1]}, reason: trust me, at: '2026-11-21T10:00:00Z'}}\n"
    Path("environments/quarantine.yaml").write_text(entry, "utf-8")
    clone.git("commit", "-qam", f"Roll back production to {untested}")
    if not merge:
        squashed(clone)
    assert "P120" in checked(clone).refusals


@pytest.mark.parametrize("merge", [True, False])
def test_a_release_of_code_that_only_the_pull_request_held(clone, forge, merge):
    """It changes the model, builds, and takes the change back: nobody would review it."""
    del forge
    clone.commit("model/__init__.py", "evil = True\n")
    clone.package("evil")
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.mlops("promote", "--env", "dev").code == 0
    if not merge:
        squashed(clone)
    answer = checked(clone)
    assert "P115" in answer.refusals
    base = clone.git("rev-parse", "origin/main")[:12]
    assert f"{base} does not descend from" in answer.text


def test_a_release_promoted_from_a_commit_of_the_pull_request(clone, staged):
    """The commit that holds it in dev must be on the base as well."""
    assert staged
    clone.commit("code.py", "answer = 43\n")
    clone.ship("staging", model="one")
    clone.git("revert", "--no-edit", "HEAD~1")
    assert set(checked(clone).refusals) == {"P108", "P115"}


QUARANTINE = "environments/quarantine.yaml"


@pytest.fixture
def barred(clone, two, forge):
    """Main went back in production; returns the text of its quarantine and the barred release."""
    del forge
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    clone.merge()
    return Path(QUARANTINE).read_text("utf-8"), two[1]


def test_a_quarantine_lifted_in_passing(clone, barred):
    """A conflict that somebody resolved, or a page about something else."""
    clone.commit("docs.md", "A word.\n")
    clone.commit(QUARANTINE, "# None yet.\n")
    answer = checked(clone)
    assert answer.refusals == ["P135"]
    assert f"the entry of {barred[1]}, and also changes docs.md" in answer.text
    clone.commit(QUARANTINE, barred[0])
    assert checked(clone).code == 0


def test_a_quarantine_lifted_by_a_merge_and_a_squash(clone, barred):
    """The branch merged main and kept its own file; the squash is an ordinary commit."""
    clone.git("checkout", "-qb", "change", "HEAD~1")
    clone.commit("docs.md", "A word.\n")
    clone.git("merge", "-q", "--no-commit", "main")
    clone.git("checkout", "HEAD", "--", QUARANTINE)
    clone.git("commit", "-qm", "Merge main")
    assert barred and checked(clone).refusals == ["P135"]
    squashed(clone)
    assert checked(clone).refusals == ["P135"]


@pytest.mark.parametrize("beside", [(), ("docs.md",)])
def test_a_quarantine_lifted_for_a_model(clone, barred, beside):
    """The same holds for the model of the release, and for the digest it is known by."""
    digest = barred[0].split("modelDigest: ")[1].strip()
    for new in (f"{digest}\n  modelMayReturn: true", f"sha256:{'0' * 64}"):
        clone.edit(QUARANTINE, digest, new)
        for path in beside:
            clone.commit(path, f"{new}\n")
        answer = checked(clone)
        assert (answer.code, answer.refusals) == ((1, ["P135"]) if beside else (0, []))
        clone.git("reset", "-q", "--hard", "origin/main")


def test_a_quarantine_lifted_alone(clone, barred):
    """Its owners decide that."""
    clone.commit(QUARANTINE, "# None any more.\n")
    assert checked(clone).code == 0 and barred


def test_a_branch_from_before_the_quarantine(clone, barred):
    """It lifts nothing, though its file has no entry."""
    clone.git("checkout", "-qb", "change", "HEAD~1")
    clone.commit("docs.md", "A word.\n")
    assert checked(clone).code == 0 and barred


def test_a_quarantine_that_cannot_be_read(clone, barred):
    """Nobody can say what it held, so it is mended alone; and nobody breaks it by a merge."""
    clone.commit(QUARANTINE, "- releaseId: [\n")
    assert checked(clone).code == 2
    clone.merge()
    clone.commit(QUARANTINE, barred[0])
    assert checked(clone).code == 0
    clone.commit("docs.md", "A word.\n")
    assert checked(clone).refusals == ["P135"]


def test_evidence_that_is_not_its_file_s(clone, forge):
    """The load test failed; the block in the release was written by hand."""
    del forge
    release_id = clone.ship("dev", "staging")
    clone.merge()
    clone.load_test(release_id, verdict="fail", reason="p95 900 ms", age=timedelta(minutes=2))
    failed = Path("build/evidence", release_id, "load-test.json").read_text("utf-8")
    clone.load_test(release_id, age=timedelta(minutes=1))
    assert clone.mlops("promote", "--env", "production").code == 0
    assert checked(clone).code == 0
    Path("build/evidence", release_id, "load-test.json").write_text(failed, "utf-8")
    answer = checked(clone)
    assert answer.refusals == ["P136"] and f"{release_id}/load-test.json" in answer.text
    clone.load_test(release_id, age=timedelta(minutes=-1))
    assert checked(clone).code == 0
