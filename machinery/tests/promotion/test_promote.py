"""Promotion: what moves, what it writes, and each reason why it does not move."""

import fcntl
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from mlops import git
from mlops.errors import Refused, UserError
from mlops.releases import commits
from mlops.releases.history import reaches
from mlops.releases.release import none_yet, parse_release, read_release

ROOT = Path(__file__).parents[3]
DEV = "environments/dev/release.yaml"
PRODUCTION = "environments/production/release.yaml"


def test_dev_takes_what_was_built(clone):
    """The first environment holds the release that `package` wrote."""
    release_id = clone.package()
    assert clone.mlops("promote", "--env", "dev").code == 0
    assert clone.held("dev") == release_id


def test_one_commit_of_exactly_two_files(clone):
    """The first promotion writes the environment's file and the catalogue's, and nothing else."""
    release_id = clone.ship("dev")
    touched = clone.git("show", "--name-only", "--format=", "HEAD").splitlines()
    assert touched == [DEV, f"environments/releases/{release_id}.yaml"]


def test_later_promotions_change_one_file(clone):
    """From then on a promotion is a change of one file."""
    clone.ship("dev", "staging", "production")
    assert clone.git("show", "--name-only", "--format=", "HEAD") == PRODUCTION


def test_the_same_block_everywhere(clone):
    """What was built is byte for byte the same in every environment and in the catalogue."""
    release_id = clone.ship("dev", "staging", "production")
    files = [f"environments/{name}/release.yaml" for name in ("dev", "staging", "production")]
    files.append(f"environments/releases/{release_id}.yaml")
    blocks = [read_release(Path(file)).promoted.model_dump_json() for file in files]
    assert len(set(blocks)) == 1


def test_a_release_says_where_it_came_from(clone):
    """It records what it replaced, and which environment held it at which commit."""
    first = clone.ship("dev", "staging", "production")
    second = clone.ship("dev", "staging", model="two")
    at = git.head()
    clone.load_test(second)
    clone.mlops("promote", "--env", "production")
    spec = read_release(Path(PRODUCTION)).spec
    assert (spec.supersedes, spec.promoted_from.environment, spec.promoted_from.commit) == (
        first,
        "staging",
        at,
    )


def test_evidence_travels_with_the_release(clone):
    """Production's file carries the load test's verdict, its figures and the digest of its file."""
    clone.ship("dev", "staging", "production")
    gate, load_test = read_release(Path(PRODUCTION)).spec.evidence
    assert (gate.kind, load_test.kind, load_test.figures["p95_ms"]) == ("gate", "load-test", 31)


def test_evidence_is_carried_once(clone):
    """What came into the environment before, and still lies here, is the same evidence."""
    clone.load_test(clone.ship("dev"))
    for name in ("staging", "production"):
        clone.mlops("promote", "--env", name)
    kinds = [proof.kind for proof in read_release(Path(PRODUCTION)).spec.evidence]
    assert kinds == ["gate", "load-test"]


def test_what_is_staged_or_dirty_stays(clone):
    """A promotion commits its own files only."""
    Path("code.py").write_text("answer = 43\n", "utf-8")
    Path("staged.py").write_text("", "utf-8")
    clone.git("add", "staged.py")
    clone.ship("dev")
    assert clone.git("status", "--porcelain") == "M code.py\nA  staged.py"


def test_promoting_twice_changes_nothing(clone):
    """What is there already is no mistake and no commit."""
    release_id = clone.ship("dev")
    before = git.head()
    answer = clone.mlops("promote", "--env", "dev")
    assert (answer.code, git.head()) == (0, before)
    assert f"dev holds {release_id} already" in answer.text


def test_nothing_was_built(clone):
    """The message names the step that comes first."""
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.code == 2 and "make package" in answer.text


def test_an_empty_environment_has_nothing_to_give(clone):
    """Staging cannot take what dev does not hold."""
    assert clone.mlops("promote", "--env", "staging").refusals == ["P118"]


def test_a_built_release_with_an_unknown_field(clone):
    """A release file has the fields of a release and no others."""
    clone.package()
    path = Path("build/release.yaml")
    path.write_text(path.read_text("utf-8") + "  replicas: 3\n", "utf-8")
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.refusals == ["P101"] and "spec.replicas" in answer.text


def test_a_tampered_bundle_digest(clone):
    """A value changed after sealing no longer hashes to the id."""
    clone.package()
    path = Path("build/release.yaml")
    path.write_text(path.read_text("utf-8").replace("bytes: 9", "bytes: 8"), "utf-8")
    assert clone.mlops("promote", "--env", "dev").refusals == ["P102"]


def test_a_hybrid_of_two_releases(clone):
    """Two merged pull requests, one line each, make a release that never existed."""
    clone.ship("dev")
    clone.edit(DEV, "- 2013-01", "- 2013-03")
    assert clone.mlops("promote", "--env", "staging").refusals == ["P102"]


def test_a_release_that_is_not_in_the_catalogue(clone):
    """A seal alone is not enough: anybody can compute one."""
    release_id = clone.ship("dev")
    clone.git("rm", "-q", f"environments/releases/{release_id}.yaml")
    clone.git("commit", "-qm", "by hand")
    assert clone.mlops("promote", "--env", "staging").refusals == ["P103"]


def test_a_number_that_another_release_took(clone):
    """Two releases packed from one catalogue: the second to arrive is packed again."""
    clone.package("two")
    text = Path("build/release.yaml").read_text("utf-8")
    clone.ship("dev")
    Path("build/release.yaml").write_text(text, "utf-8")
    assert clone.mlops("promote", "--env", "dev").refusals == ["P104"]


def test_a_number_that_an_older_build_took(clone):
    """Merged while this one was built: the newer one takes the next number, and prints it."""
    clone.package("one")
    older = Path("build/release.yaml").read_text("utf-8")
    clone.commit("code.py", "answer = 43\n")
    newer = clone.package("two")
    text = Path("build/release.yaml").read_text("utf-8")
    Path("build/release.yaml").write_text(older, "utf-8")
    clone.mlops("promote", "--env", "dev")
    Path("build/release.yaml").write_text(text, "utf-8")
    answer = clone.mlops("promote", "--env", "dev")
    # Its date is that of the commit, which is today's.
    number, seal = clone.held("dev").rsplit("-", 2)[1:]
    assert (number, seal) == ("0002", newer.rsplit("-", 1)[1]) and answer.code == 0
    assert clone.refused_at_deploy("dev") == [] and f"{newer} becomes" in answer.text


def test_a_quarantined_release(clone):
    """What people put in quarantine goes no further."""
    release_id = clone.ship("dev")
    entry = f"- {{releaseId: {release_id}, reason: leaks, at: '2026-11-21T10:00:00Z'}}\n"
    clone.commit("environments/quarantine.yaml", entry)
    answer = clone.mlops("promote", "--env", "staging")
    assert answer.refusals == ["P105"] and "leaks" in answer.text


def test_an_older_release_without_the_mark_of_a_rollback(clone):
    """Promotion goes forward only."""
    clone.package("one")
    old = Path("build/release.yaml").read_text("utf-8")
    clone.mlops("promote", "--env", "dev")
    clone.ship("dev", model="two")
    Path("build/release.yaml").write_text(old, "utf-8")
    assert clone.mlops("promote", "--env", "dev").refusals == ["P107"]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"environment": "dev"}, "P109"),
        ({"releaseId": "churn-20261121-0009-0123456789ab"}, "P110"),
        ({"verdict": "fail"}, "P111"),
        ({"verdict": "inconclusive"}, "P111"),
        ({"age": timedelta(hours=73)}, "P112"),
        ({"age": timedelta(hours=-1)}, "P113"),
    ],
)
def test_evidence_that_does_not_do(clone, changes, refusal):
    """Missing, of another release, not a pass, too old, from the future."""
    release_id = clone.ship("dev", "staging")
    clone.load_test(release_id, **changes)
    assert clone.mlops("promote", "--env", "production").refusals == [refusal]


@pytest.mark.parametrize("name", ["a.json", "z.json"])
def test_the_newest_evidence_counts(clone, name):
    """In whatever order it is found, an earlier pass does not outvote a later failure."""
    release_id = clone.ship("dev", "staging")
    clone.load_test(release_id, age=timedelta(hours=2))
    path = Path("build/evidence", release_id, "load-test.json")
    path.rename(path.with_name(name))
    clone.load_test(release_id, verdict="fail")
    assert clone.mlops("promote", "--env", "production").refusals == ["P111"]


def test_evidence_collected_on_another_branch(clone):
    """A load test under settings that nobody merged proves nothing."""
    release_id = clone.ship("dev", "staging")
    clone.git("checkout", "-qb", "aside")
    clone.commit("environments/staging/settings.yaml", "target: local\nport: 3002\nworkers: 9\n")
    clone.load_test(release_id, commit=git.head())
    clone.git("checkout", "-q", "main")
    assert clone.mlops("promote", "--env", "production").refusals == ["P131"]
    clone.load_test(release_id, commit=git.head())
    assert clone.mlops("promote", "--env", "production").code == 0


def test_no_evidence_at_all(clone):
    """The message names what is missing, what is present and how to get it."""
    clone.ship("dev", "staging")
    answer = clone.mlops("promote", "--env", "production")
    assert answer.refusals == ["P109"]
    assert "there is gate from build" in answer.text and "make loadtest ENV=staging" in answer.text


def test_clocks_that_differ_a_little(clone):
    """Evidence from a machine two minutes ahead is not from the future."""
    release_id = clone.ship("dev", "staging")
    clone.load_test(release_id, age=timedelta(minutes=-2))
    assert clone.mlops("promote", "--env", "production").code == 0


def test_the_gate_said_no(clone):
    """A release whose gate did not pass does not even reach dev."""
    clone.package(verdict="fail")
    assert clone.mlops("promote", "--env", "dev").refusals == ["P111"]


def test_a_freeze(clone):
    """Nothing moves into an environment in its freeze."""
    clone.ship("dev")
    clone.freeze("staging")
    answer = clone.mlops("promote", "--env", "staging")
    assert answer.refusals == ["P114"] and "nobody on call" in answer.text


def test_a_release_built_from_a_branch_that_was_not_merged(clone):
    """What runs can be found in the history."""
    clone.git("checkout", "-qb", "aside")
    clone.commit("code.py", "answer = 44\n")
    release_id = clone.package()
    clone.git("checkout", "-q", "main")
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.refusals == ["P115"] and release_id in answer.text


@pytest.mark.parametrize("file", ["release.yaml", "policy.yaml", "settings.yaml"])
def test_an_edit_that_is_not_committed(clone, file):
    """A promotion is judged by what is committed."""
    clone.package()
    path = Path("environments/dev", file)
    path.write_text(path.read_text("utf-8") + "# hand\n", "utf-8")
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.refusals == ["P116"] and str(path) in answer.text


@pytest.mark.parametrize("change", [lambda p: p.write_bytes(b"\xff"), Path.unlink])
def test_a_file_that_is_no_text_or_gone(clone, change):
    """It differs from HEAD like any other, even where a promotion is to write."""
    clone.package()
    change(Path(DEV))
    assert clone.mlops("promote", "--env", "dev").refusals == ["P116"]


@pytest.mark.parametrize(
    "texts",
    [[], ["spec: {\n", none_yet()], [none_yet().replace("\n", "\r\n")]],
    ids=["missing", "broken", "windows"],
)
def test_a_new_environment_takes_its_first_release(clone, texts):
    """Also where its file is missing, was broken at first, or has the line ends of Windows."""
    for name in ("policy", "settings"):
        text = Path(f"environments/dev/{name}.yaml").read_text("utf-8")
        clone.commit(f"environments/trial/{name}.yaml", text)
    for text in texts:
        clone.commit("environments/trial/release.yaml", text)
    clone.ship("trial")
    assert clone.refused_at_deploy("trial") == []


def test_a_catalogue_entry_that_others_left(clone):
    """A file of that name that no promotion wrote is not committed unseen."""
    release_id = clone.package()
    path = Path("environments/releases", f"{release_id}.yaml")
    path.parent.mkdir()
    path.write_text("spec: null\n", "utf-8")
    assert clone.mlops("promote", "--env", "dev").refusals == ["P116"]


def test_all_reasons_at_once(clone):
    """All reasons come at once, so nobody fixes one only to meet the next."""
    release_id = clone.ship("dev", "staging")
    clone.load_test(release_id, verdict="fail", age=timedelta(hours=80))
    clone.freeze("production")
    answer = clone.mlops("promote", "--env", "production")
    assert answer.refusals == ["P111", "P112", "P114"]


def test_a_refusal_changes_nothing(clone):
    """No file and no commit is left behind."""
    clone.package(verdict="fail")
    before = git.head()
    clone.mlops("promote", "--env", "dev")
    assert (git.head(), clone.git("status", "--porcelain")) == (before, "")


def test_a_second_promotion_is_told_of_the_first(clone):
    """One promotion at a time in one clone."""
    clone.package()
    with commits.lock():
        assert clone.mlops("promote", "--env", "dev").refusals == ["P117"]


def test_the_lock_of_a_killed_run_is_no_lock(clone):
    """The lock goes with the process that held it; its file may stay."""
    clone.package()
    with commits.LOCK.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert clone.mlops("promote", "--env", "dev").code == 0


def test_head_moves_while_a_promotion_is_computed(clone):
    """What was computed on one commit is not put on another."""
    base = git.head()
    clone.commit("code.py", "answer = 45\n")
    with pytest.raises(Refused, match="P117"):
        commits.commit("late", {Path(DEV): "text"}, base)


def test_two_processes_race(clone):
    """One commits, the other is refused or has nothing to do; there is one promotion."""
    clone.package()
    before = int(clone.git("rev-list", "--count", "HEAD"))
    command = [sys.executable, "-m", "mlops", "promote", "--env", "dev"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "machinery")}
    with subprocess.Popen(command, env=environment) as one:
        with subprocess.Popen(command, env=environment) as other:
            codes = sorted(racer.wait(timeout=60) for racer in (one, other))
    assert codes in ([0, 0], [0, 1])
    assert int(clone.git("rev-list", "--count", "HEAD")) == before + 1


def test_two_branches_race(clone):
    """Each rewrites the same line, so git merges only the first."""
    clone.ship("dev")
    clone.git("checkout", "-qb", "other")
    clone.ship("dev", "staging", model="two")
    clone.git("checkout", "-q", "main")
    clone.ship("dev", "staging", model="three")
    with pytest.raises(subprocess.CalledProcessError):
        clone.git("merge", "other")
    assert "releaseId" in clone.git("diff", "--", "environments/staging/release.yaml")


def test_git_does_not_know_the_user(clone, monkeypatch):
    """The message names the git commands to run, and nothing was changed."""
    clone.package()
    clone.git("config", "--unset", "user.email")
    clone.git("config", "user.useConfigOnly", "true")
    monkeypatch.delenv("EMAIL", raising=False)
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.code == 2 and "git config user.email" in answer.text
    assert clone.git("status", "--porcelain") == ""


def test_a_hook_refuses_the_commit(clone):
    """What was written is taken back, and can be promoted once the hook agrees."""
    release_id = clone.package()
    hook = Path(".git/hooks/pre-commit")
    hook.write_text("#!/bin/sh\necho no commits today >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    answer = clone.mlops("promote", "--env", "dev")
    assert answer.code == 2 and "no commits today" in answer.text
    assert clone.git("status", "--porcelain") == ""
    hook.unlink()
    assert clone.mlops("promote", "--env", "dev").code == 0 and clone.held("dev") == release_id


def test_a_shallow_clone(clone, tmp_path, monkeypatch):
    """Half a history judges nothing: the message names the command that fetches the rest."""
    clone.ship("dev")
    clone.git("clone", "-q", "--depth", "1", f"file://{tmp_path}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    for arguments in (
        ("promote", "--env", "staging"),
        ("rollback", "--env", "dev", "--reason", "x"),
    ):
        answer = clone.mlops(*arguments)
        assert answer.code == 2 and "fetch-depth: 0" in answer.text
    with pytest.raises(UserError, match="fetch-depth: 0"):
        reaches("1" * 40)


def test_the_file_is_readable_and_stable(clone):
    """Read and written again it has the same bytes, below a comment that names its owner."""
    clone.ship("dev", "staging", "production")
    text = Path(PRODUCTION).read_text("utf-8")
    assert parse_release(text, PRODUCTION).text == text
    assert text.startswith("# Written by promotion; do not edit")
