"""What a commit becomes on GitHub: one branch, one pull request, whatever happens meanwhile."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from machinery.tests.github_api.standin import Fault
from mlops import cli
from mlops.github import remote
from mlops.github.api import GitHub, GitHubError
from mlops.github.pulls import Pulls
from mlops.retraining import proposal

ENTRY = "- {{releaseId: {}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"


def proposed(clone, *options):
    """Propose HEAD, which must succeed, and return the output."""
    answer = clone.mlops("propose", *options)
    assert answer.code == 0, answer.text
    return answer.text


def opened(forge, state="open"):
    """The pull requests in this state: their branches by number."""
    return {n: p["head"]["ref"] for n, p in forge.pulls.items() if p["state"] == state}


@pytest.fixture
def promoted_to_dev(clone, forge):
    """The id of a release whose promotion to dev is HEAD; GitHub knows nothing of it yet."""
    del forge
    return clone.ship("dev")


def test_a_promotion_becomes_a_pull_request(clone, forge, promoted_to_dev):
    """Its branch is named after it, and carries exactly the commit made here."""
    branch = f"promote/dev/{promoted_to_dev}"
    assert f"Promote {promoted_to_dev} to dev" in proposed(clone)
    assert list(opened(forge).values()) == [branch]
    assert forge.branch(branch) == clone.git("rev-parse", "HEAD")


def test_main_is_left_alone(clone, forge, promoted_to_dev):
    """Only a merge moves it."""
    before = forge.branch("main")
    proposed(clone)
    assert forge.branch("main") == before != forge.branch(f"promote/dev/{promoted_to_dev}")


def test_the_reviewer_reads_what_it_is(clone, forge):
    """Release, what it replaces and passes over, evidence with its age, how to try it."""
    first = clone.ship("dev", "staging", "production")
    clone.ship("dev", model="two")
    third = clone.ship("dev", "staging", model="three")
    clone.load_test(third)
    clone.merge()
    clone.mlops("promote", "--env", "production")
    proposed(clone)
    (pull,) = forge.pulls.values()
    for text in (
        f"`production` takes **`{third}`**",
        f"| replaces | `{first}` |",
        "| between them | 1 release that never ran here |",
        "| load-test | staging | pass | p95 31 ms | 1 h |",
        f"git fetch origin promote/production/{third}",
        "/checks)",
    ):
        assert text in pull["body"]


def test_what_others_wrote_is_shown_not_rendered(clone, two, forge):
    """A reason with a mention, a table and a tag is text."""
    del two
    clone.merge()
    clone.mlops("rollback", "--env", "production", "--reason", "@all | <img src=x> `x`")
    proposed(clone)
    (pull,) = forge.pulls.values()
    assert "<img" not in pull["body"] and "@all" not in pull["body"]


def test_a_rollback_is_proposed_with_its_quarantine(clone, two, forge):
    """One commit restores the release and quarantines the bad one; its branch is rollback/."""
    clone.merge()
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    proposed(clone)
    branch = f"rollback/production/{two[0]}"
    assert list(opened(forge).values()) == [branch]
    files = forge.run_git("show", "--name-only", "--format=", branch).splitlines()
    assert files == ["environments/production/release.yaml", "environments/quarantine.yaml"]


def test_proposed_twice_it_is_one(clone, forge, promoted_to_dev):
    """The second run finds the first one's."""
    assert promoted_to_dev
    proposed(clone)
    assert "proposes it already" in proposed(clone)
    assert len(forge.pulls) == 1


def test_computed_again_it_is_one(clone, forge, promoted_to_dev):
    """A run begun anew makes another commit of the same release; what is open stays."""
    proposed(clone)
    tip = forge.branch(f"promote/dev/{promoted_to_dev}")
    clone.anew()
    clone.mlops("promote", "--env", "dev")
    clone.git("commit", "-q", "--amend", "--no-edit", "--date", "2026-11-21T10:00:00Z")
    assert clone.git("rev-parse", "HEAD") != tip
    assert "proposes it already" in proposed(clone)
    assert forge.branch(f"promote/dev/{promoted_to_dev}") == tip


def test_main_has_moved_on(clone, forge, promoted_to_dev):
    """Its branch must hold all of main to be merged: run again, it is proposed from there."""
    proposed(clone)
    clone.anew()
    clone.commit("README.md", "Read this.\n")
    clone.merge()
    clone.mlops("promote", "--env", "dev")
    proposed(clone)
    branch = f"promote/dev/{promoted_to_dev}"
    assert opened(forge) == {3: branch} and opened(forge, "closed") == {1: branch}
    assert forge.run_git("rev-parse", f"{branch}^") == forge.run_git("rev-parse", "main")


def test_a_checkout_without_a_branch_of_its_own(clone, forge, promoted_to_dev):
    """As in a job that was given a commit: only origin's main is known, and what is open stays."""
    proposed(clone)
    clone.git("checkout", "-q", "--detach", "origin/main")
    clone.git("branch", "-q", "-D", "main")
    clone.mlops("promote", "--env", "dev")
    clone.git("commit", "-q", "--amend", "--no-edit", "--date", "2026-11-21T10:00:00Z")
    assert "proposes it already" in proposed(clone) and promoted_to_dev
    assert not opened(forge, "closed")


def test_another_run_was_faster(clone, forge, promoted_to_dev, monkeypatch):
    """It pushed the same release between the look and the push: its branch is taken as it is."""
    mine = clone.git("rev-parse", "HEAD")
    clone.git("commit", "-q", "--amend", "--no-edit", "--date", "2026-11-21T10:00:00Z")
    clone.git("push", "-q", "origin", f"HEAD:promote/dev/{promoted_to_dev}")
    clone.git("checkout", "-q", mine)
    fetch, branch = remote.fetch, f"promote/dev/{promoted_to_dev}"
    blind = iter([None])
    monkeypatch.setattr(
        remote, "fetch", lambda n: next(blind, fetch(n)) if n == branch else fetch(n)
    )
    proposed(clone)
    assert forge.branch(branch) != mine and len(forge.pulls) == 1


def killed(where, name):
    """Propose in a process of its own, which is killed when it comes to this function."""
    child = os.fork()
    if child == 0:
        setattr(where, name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        os._exit(cli.main(["propose"]))
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.parametrize(("where", "name"), [(remote, "push"), (Pulls, "open"), (Pulls, "close")])
def test_a_killed_run_is_finished_by_the_next(clone, forge, promoted_to_dev, where, name):
    """Before the push, the pull request, or the end of the older one: one of them is open."""
    proposed(clone)
    clone.anew()
    clone.commit("code.py", "answer = 43\n")
    clone.merge()
    newer = clone.ship("dev", model="two")
    killed(where, name)
    proposed(clone)
    assert list(opened(forge).values()) == [f"promote/dev/{newer}"] != [promoted_to_dev]


def test_github_stumbles(clone, forge, promoted_to_dev):
    """A 504 is tried again, and the pull request is opened once."""
    del promoted_to_dev
    forge.faults.append(Fault("POST", "/pulls$", 504, times=2))
    proposed(clone)
    assert len(forge.pulls) == 1


def test_github_stumbles_after_it_did_it(clone, forge, promoted_to_dev, monkeypatch):
    """The answer was lost, the pull request was not: the second try finds it."""
    del promoted_to_dev
    send = GitHub.send

    def twice(hub, method, path, body=None):
        if path == "pulls":
            send(hub, method, path, body)
        return send(hub, method, path, body)

    monkeypatch.setattr(GitHub, "send", twice)
    proposed(clone)
    assert len(forge.pulls) == 1


def test_github_is_down(clone, forge, promoted_to_dev):
    """The message names the request; the branch waits for the next run."""
    forge.faults.append(Fault("POST", "/pulls$", 502, times=9))
    answer = clone.mlops("propose")
    assert answer.code == 2 and "502" in answer.text and not forge.pulls
    forge.faults.clear()
    proposed(clone)
    assert list(opened(forge).values()) == [f"promote/dev/{promoted_to_dev}"]


def test_workflows_may_not_open_pull_requests(clone, forge, promoted_to_dev, monkeypatch):
    """As in every new repository: the branch is pushed, and the address to open is printed."""

    def refuse(_, __, path, ___=None):
        text = "GitHub Actions is not permitted to create or approve pull requests."
        raise GitHubError(f"POST {path}: GitHub answered 403: {text}", 403)

    monkeypatch.setattr(GitHub, "send", refuse)
    assert f"compare/main...promote/dev/{promoted_to_dev}" in proposed(clone)
    assert forge.branch(f"promote/dev/{promoted_to_dev}")


def test_the_newest_wins(clone, forge, promoted_to_dev):
    """An older proposal is closed with the reason once the new one is open; its branch goes."""
    proposed(clone)
    clone.anew()
    clone.commit("code.py", "answer = 43\n")
    clone.merge()
    newer = clone.ship("dev", model="two")
    proposed(clone)
    assert list(opened(forge).values()) == [f"promote/dev/{newer}"]
    assert [c["body"] for c in forge.comments.values() if f"proposes `{newer}` in dev" in c["body"]]
    assert forge.branch(f"promote/dev/{promoted_to_dev}") is None


def test_a_run_that_came_late_closes_nothing(clone, forge, promoted_to_dev):
    """Both were packed from one catalogue, so both have number 1; the later commit wins."""
    late = clone.git("rev-parse", "HEAD")
    clone.anew()
    clone.commit("code.py", "answer = 43\n")
    clone.merge()
    newer = clone.ship("dev", model="two")
    proposed(clone)
    clone.git("checkout", "-q", late)
    assert "is newer and open" in proposed(clone)
    assert list(opened(forge).values()) == [f"promote/dev/{newer}"]
    assert promoted_to_dev != newer


def test_other_environments_are_left_alone(clone, forge):
    """One proposal a kind and an environment: those of staging and dev stand side by side."""
    clone.ship("dev")
    clone.merge()
    clone.ship("staging")
    proposed(clone)
    clone.anew()
    clone.ship("dev", model="two")
    proposed(clone)
    assert len(opened(forge)) == 2


def test_what_people_worked_on_stays(clone, forge, promoted_to_dev):
    """A commit of theirs on the branch keeps it open, and it is named."""
    proposed(clone)
    clone.commit("code.py", "answer = 43\n")
    clone.git("push", "-q", "origin", f"HEAD:promote/dev/{promoted_to_dev}")
    clone.anew()
    clone.ship("dev", model="two")
    assert "people worked on it" in proposed(clone)
    assert len(opened(forge)) == 2


def test_a_branch_of_a_fork_is_not_ours(clone, forge):
    """Whoever names a branch in a fork like ours keeps the pull request."""
    head = {"ref": "promote/dev/churn-20200101-0001-0123456789ab", "repo": "stranger/flights"}
    forge.pulls[5] = {
        "number": 5,
        "state": "open",
        "title": "",
        "head": head,
        "base": {"ref": "main"},
    }
    clone.ship("dev")
    proposed(clone)
    assert len(opened(forge)) == 2


def test_what_people_closed_is_not_opened_again(clone, forge, promoted_to_dev):
    """They rejected it; after the branch is removed it is proposed again."""
    proposed(clone)
    (pull,) = forge.pulls.values()
    pull["state"] = "closed"
    assert "was closed" in proposed(clone) and not opened(forge)
    clone.git("push", "-q", "origin", f":promote/dev/{promoted_to_dev}")
    proposed(clone)
    assert len(opened(forge)) == 1


def test_production_moved_meanwhile(clone, two, forge):
    """A proposal computed before a rollback is replaced by one computed after it."""
    clone.merge()
    third = clone.ship("dev", "staging", model="three")
    clone.merge()
    clone.load_test(third)
    clone.mlops("promote", "--env", "production")
    proposed(clone)
    clone.anew()
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    clone.merge()
    clone.mlops("promote", "--env", "production")
    proposed(clone)
    assert len(opened(forge)) == 1 and len(opened(forge, "closed")) == 1
    tip = forge.run_git("show", f"promote/production/{third}:environments/production/release.yaml")
    assert f"supersedes: {two[0]}" in tip


def test_a_branch_that_a_killed_run_left_is_replaced(clone, forge):
    """Pushed, never proposed, and computed for what dev held before a rollback."""
    clone.ship("dev")
    clone.ship("dev", model="two")
    clone.merge()
    third = clone.ship("dev", model="three")
    clone.git("push", "-q", "origin", f"HEAD:promote/dev/{third}")
    clone.anew()
    clone.mlops("rollback", "--env", "dev", "--reason", "slow")
    clone.merge()
    clone.mlops("promote", "--env", "dev")
    proposed(clone)
    assert forge.branch(f"promote/dev/{third}") == clone.git("rev-parse", "HEAD")


def test_a_push_that_is_refused_is_told(clone, forge, promoted_to_dev):
    """In the words of whoever refused it."""
    hook = forge.git / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho none of yours >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    answer = clone.mlops("propose")
    assert answer.code == 2 and "none of yours" in answer.text
    assert promoted_to_dev and not forge.pulls


def test_what_was_computed_too_early_is_refused(clone, two, forge):
    """The base holds another release by now than the one that would be replaced."""
    release_id = clone.ship("dev", "staging", model="three")
    clone.load_test(release_id)
    clone.merge()
    clone.mlops("promote", "--env", "production")
    late = clone.git("rev-parse", "HEAD")
    clone.anew()
    clone.mlops("rollback", "--env", "production", "--reason", "slow")
    clone.merge()
    clone.git("checkout", "-q", late)
    answer = clone.mlops("propose")
    assert answer.refusals == ["P106"] and two[0] in answer.text and not forge.pulls


def test_quarantined_meanwhile(clone, forge, promoted_to_dev):
    """What main has in quarantine by now is not proposed."""
    mine = clone.git("rev-parse", "HEAD")
    clone.anew()
    clone.commit("environments/quarantine.yaml", ENTRY.format(promoted_to_dev))
    clone.merge()
    clone.git("checkout", "-q", mine)
    assert clone.mlops("propose").refusals == ["P105"] and not forge.pulls


def test_a_commit_aside_proves_nothing(clone, forge):
    """Evidence for a commit that is not on main is refused."""
    release_id = clone.ship("dev", "staging")
    clone.merge()
    clone.commit("environments/staging/settings.yaml", "target: local\nport: 3002\nworkers: 9\n")
    clone.load_test(release_id)
    clone.mlops("promote", "--env", "production")
    assert clone.mlops("propose").refusals == ["P131"] and not forge.pulls


def test_what_was_merged_as_another_commit_is_done(clone, forge, promoted_to_dev):
    """A squash makes one; the release is in dev all the same."""
    mine = clone.git("rev-parse", "HEAD")
    clone.git("commit", "-q", "--amend", "--no-edit", "--date", "2026-11-21T10:00:00Z")
    clone.merge()
    clone.git("checkout", "-q", mine)
    assert f"main holds {promoted_to_dev} in dev already" in proposed(clone) and not forge.pulls


def test_nothing_to_propose(clone, forge):
    """What is merged is done: green, and nothing happens."""
    clone.ship("dev")
    clone.merge()
    assert "nothing to propose" in proposed(clone) and not forge.pulls


def test_another_environment_was_meant(clone, forge, promoted_to_dev):
    """Asked for staging, the promotion to dev is not proposed."""
    assert "nothing to propose" in proposed(clone, "--env", "staging")
    assert not forge.pulls and promoted_to_dev


def test_on_a_laptop(clone):
    """Without a token it prints what it would do."""
    release_id = clone.ship("dev")
    output = proposed(clone)
    assert f"promote/dev/{release_id}" in output and "GITHUB_TOKEN is not set" in output


def test_in_a_workflow_a_token_is_a_must(clone, monkeypatch):
    """A step that forgot it is red, not silent."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    answer = clone.mlops("propose")
    assert answer.code == 2 and "GITHUB_TOKEN" in answer.text


def test_the_token_goes_to_github_only(monkeypatch):
    """It is in the environment of git, for GitHub's address, and on no command line."""
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    environ = remote._credentials()  # pylint: disable=protected-access
    assert environ["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraheader"
    assert "secret" not in str(environ) and environ["GIT_TERMINAL_PROMPT"] == "0"


def test_the_bot_commits_in_a_workflow(clone, monkeypatch):
    """Where git knows nobody, a promotion is the bot's."""
    clone.git("config", "--unset", "user.email")
    clone.git("config", "--unset", "user.name")
    for name in (
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
    ):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    clone.ship("dev")
    assert clone.git("log", "-1", "--format=%an, %cn") == "github-actions[bot], github-actions[bot]"


def retrained(clone, digest="sha256:" + "7" * 64):
    """Leave what `retrain` leaves: a branch with one commit, and its description."""
    clone.git("checkout", "-q", "-b", "retrain/q4")
    clone.commit("params.yaml", Path("params.yaml").read_text("utf-8") + "# q4\n")
    commit = clone.git("rev-parse", "HEAD")
    clone.git("checkout", "-q", "main")
    proposal.PROPOSAL.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "branch": "retrain/q4",
        "commit": commit,
        "title": "Retrain with q4",
        "triggers": [{"kind": "drift", "reason": "km moved"}],
        "production": "churn-20261121-0001-0123456789ab",
        "model_digest": digest,
        "verdict": "pass",
        "reason": "as good",
    }
    proposal.PROPOSAL.write_text(json.dumps(content), "utf-8")
    (proposal.HOME / "report.md").write_text("## The whole report\n", "utf-8")
    return commit


def test_a_retraining_is_proposed(clone, forge):
    """Once the promotion that HEAD is was merged: with its reasons and its report."""
    clone.ship("dev")
    clone.merge()
    commit = retrained(clone)
    proposed(clone)
    (pull,) = forge.pulls.values()
    assert (pull["head"]["ref"], forge.branch("retrain/q4")) == ("retrain/q4", commit)
    assert "- drift: km moved" in pull["body"] and "## The whole report" in pull["body"]


# What GitHub does with a push of a run's own token: it compares workflows, whoever changed them.
WORKFLOWS = """\
#!/bin/sh
while read -r _ commit ref; do
  [ "$ref" = refs/heads/main ] && continue
  git diff --quiet refs/heads/main "$commit" -- .github/workflows && continue
  echo 'refusing to allow a GitHub App to create or update workflow' \\
    '`.github/workflows/ci.yml` without `workflows` permission' >&2
  exit 1
done
"""


@pytest.fixture
def strict(clone, forge):
    """GitHub as it treats a run's token; main changes a workflow when this is called."""
    hook = forge.git / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(WORKFLOWS, "utf-8")
    hook.chmod(0o755)

    def change(**others):
        """Let somebody merge another workflow, and other files."""
        head = clone.git("rev-parse", "HEAD")
        clone.git("checkout", "-q", "--detach", "origin/main")
        for name, text in {".github/workflows/ci.yml": "name: Newer\n", **others}.items():
            clone.commit(name, text)
        clone.git("push", "-q", "origin", "HEAD:main")
        clone.git("checkout", "-q", "--detach", head)
        return clone.git("rev-parse", "origin/main")

    return change


def test_a_retraining_that_took_long_is_made_anew_on_the_newest_main(clone, forge, strict):
    """Main changed a workflow while it trained; GitHub refuses a commit with the older one."""
    commit = retrained(clone)
    newest = strict()
    assert "was made anew on" in proposed(clone)
    there = forge.branch("retrain/q4")
    assert there != commit and clone.git("rev-parse", f"{there}^") == newest
    assert clone.git("diff", "--name-only", newest, there) == "params.yaml"
    assert clone.git("show", f"{there}:params.yaml").endswith("# q4")
    assert clone.git("log", "-1", "--format=%s", there) == clone.git(
        "log", "-1", "--format=%s", commit
    )
    assert list(opened(forge).values()) == ["retrain/q4"]
    assert "proposes it already" in proposed(clone)


def test_a_retraining_whose_file_changed_too_says_what_to_run(clone, forge, strict):
    """Nobody can tell which of the two lines is right."""
    retrained(clone)
    strict(**{"params.yaml": Path("params.yaml").read_text("utf-8") + "# other\n"})
    answer = clone.mlops("propose")
    assert answer.code == 2 and "Start its workflow anew: Actions" in answer.text
    assert not forge.pulls and forge.branch("retrain/q4") is None


def test_a_promotion_that_is_behind_says_what_to_run(clone, forge, strict, promoted_to_dev):
    """Its commit is not made anew: what it replaces is looked up where it is computed."""
    strict()
    answer = clone.mlops("propose")
    assert answer.code == 2 and "since" in answer.text and "Run workflow" in answer.text
    assert promoted_to_dev and not forge.pulls


def test_a_retraining_whose_branch_was_removed_is_not_proposed(clone, forge):
    """People rejected it: what `retrain` left for another clone does not bring it back."""
    proposal.propose("retrain/q4", retrained(clone))
    clone.git("branch", "-q", "-D", "retrain/q4")
    assert "nothing to propose" in proposed(clone)
    assert not forge.pulls and not clone.git("branch", "--list", "retrain/*")


def test_a_retraining_of_another_clone_is_proposed_until_its_branch_is_removed(
    clone, forge, tmp_path_factory, monkeypatch
):
    """What trains may not be what pushes: the branch comes as a file, once."""
    proposal.propose("retrain/q4", retrained(clone))
    other = tmp_path_factory.mktemp("other") / "clone"
    clone.git("clone", "-q", "-b", "main", str(forge.git), str(other))
    shutil.copytree(proposal.HOME, other / proposal.HOME)
    monkeypatch.chdir(other)
    proposed(clone)
    assert list(opened(forge).values()) == ["retrain/q4"]
    clone.git("branch", "-q", "-D", "retrain/q4")
    assert "nothing to propose" in proposed(clone)


def by_somebody(clone, branch, message):
    """Push a branch with one commit of this message, and open its pull request."""
    commit = clone.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", message)
    clone.git("push", "-q", "origin", f"{commit}:refs/heads/{branch}")
    Pulls(GitHub.here(), "main").open(branch, message, "")


def test_a_retraining_takes_the_place_of_retrainings_only(clone, forge):
    """A person's own branch below retrain/ stays, though it has a single commit as ours have."""
    by_somebody(clone, "retrain/q3", f"Retrain with q3\n\n{proposal.MARK}")
    by_somebody(clone, "retrain/try-lightgbm", "Try another model")
    retrained(clone)
    proposed(clone)
    assert list(opened(forge, "closed").values()) == ["retrain/q3"]
    assert forge.branch("retrain/q3") is None
    assert set(opened(forge).values()) == {"retrain/try-lightgbm", "retrain/q4"}
    assert forge.branch("retrain/try-lightgbm")


@pytest.mark.parametrize(("barred", "code"), [(True, 1), (False, 0)])
def test_a_model_that_is_there_or_barred_is_not_retrained(clone, two, forge, barred, code):
    """Production's very model is nothing new; one in quarantine does not come back."""
    release = clone.environment("production").release if not barred else None
    if barred:
        clone.commit("environments/quarantine.yaml", ENTRY.format(two[0]))
        text = clone.git("show", f"HEAD:environments/releases/{two[0]}.yaml")
        digest = text.split("model:")[1].split("digest: ")[1].split()[0]
    clone.merge()
    retrained(clone, digest if barred else release.promoted.model.digest)
    answer = clone.mlops("propose")
    assert (answer.code, forge.pulls) == (code, {})


UPGRADE = """machinery: upgrade from 1.0.0 to {version}

Do this:
- {version}: look at ```the gate```.

Proposed-by: make upgrade
"""


def upgraded(clone, version="1.1.0"):
    """Commit what `make upgrade` leaves; main knows nothing of it."""
    clone.git("checkout", "-q", "-B", "main", "origin/main")
    clone.commit("machinery/RELEASE", f"# {version}\n")
    clone.git("commit", "-q", "--amend", "--message", UPGRADE.format(version=version))
    return clone.git("rev-parse", "HEAD")


def test_an_upgrade_becomes_a_pull_request(clone, forge):
    """The reviewer reads what a person must do, as text; run again it is the same pull request."""
    clone.ship("dev")
    clone.merge()
    commit = upgraded(clone)
    proposed(clone)
    assert "proposes it already" in proposed(clone)
    (pull,) = forge.pulls.values()
    assert (pull["head"]["ref"], pull["title"]) == (
        "upgrade/1.1.0",
        "machinery: upgrade from 1.0.0 to 1.1.0",
    )
    assert forge.branch("upgrade/1.1.0") == commit
    assert "````text\nDo this:" in pull["body"]


def test_a_newer_upgrade_takes_the_place_of_an_open_one(clone, forge):
    """A branch of people below upgrade/ is left alone."""
    clone.ship("dev")
    clone.merge()
    upgraded(clone)
    proposed(clone)
    upgraded(clone, "1.2.0")
    proposed(clone)
    assert list(opened(forge).values()) == ["upgrade/1.2.0"]
    assert list(opened(forge, "closed").values()) == ["upgrade/1.1.0"]


def test_an_upgrade_that_was_merged_is_not_proposed(clone, forge):
    clone.ship("dev")
    clone.merge()
    upgraded(clone)
    clone.merge()
    assert "nothing to propose" in proposed(clone)
    assert not forge.pulls


def test_a_token_that_may_not_push_workflows_is_explained(clone, forge, monkeypatch, tmp_path):
    """GitHub's own words name no remedy; the page of the run does."""
    clone.ship("dev")
    clone.merge()
    upgraded(clone)
    hook = Path(clone.git("remote", "get-url", "origin")) / "hooks/pre-receive"
    words = "refusing to allow a GitHub App to create or update workflow `x` without `workflows`"
    hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    monkeypatch.setattr(remote, "PAUSES", ())
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    answer = clone.mlops("propose")
    assert answer.code == 1
    for text in (answer.text, (tmp_path / "summary.md").read_text("utf-8")):
        assert "Run `make upgrade` on your machine" in text
    assert not forge.pulls
