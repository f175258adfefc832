"""`retrain` in a real repository: what it proposes, what it refuses, and what it leaves alone."""

import json
import re
import shutil
from datetime import UTC, datetime

import pytest

from mlops.releases.quarantine import QUARANTINE, Entry, with_entry
from mlops.releases.release import Release, Spec, catalogue_path, read_release, write_release


def retrain(shop, code=0):
    """Run the step, which must end with this code, and return its output."""
    done = shop.mlops("retrain", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def stale(shop, name, message="Proposed-by: make retrain"):
    """Make a branch with one commit, as an earlier retraining or a person may have left it."""
    commit = shop.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", message)
    shop.git("branch", name, commit)


def quarantined(shop, model_digest, reason):
    """Put a release of this model into catalogue and quarantine, and return its id."""
    production = read_release(shop.folder / "environments/production/release.yaml").promoted
    model = production.model.model_copy(update={"digest": model_digest})
    promoted = production.model_copy(update={"model": model})
    release = Release(
        spec=Spec(release_id=f"fares-20200101-0009-{promoted.seal}", promoted=promoted)
    )
    write_release(shop.folder / catalogue_path(release.release_id), release)
    entry = Entry(release_id=release.release_id, reason=reason, at=datetime.now(UTC))
    path = shop.folder / QUARANTINE
    path.write_text(with_entry(path.read_text("utf-8"), entry), "utf-8")
    shop.git("add", "--all")
    shop.git("commit", "--quiet", "--message", "Quarantine it")
    return release.release_id


def alarm(shop, trigger, release_id=None):
    """Leave build/monitor.json as `monitor` does."""
    text = (shop.folder / "environments/production/release.yaml").read_text("utf-8")
    monitored = {
        "verdict": "fail",
        "alarm": True,
        "trigger": trigger,
        "reason": "D201 km: it moved.",
        "release_id": release_id or re.search(r"releaseId: (\S+)", text)[1],
        "environment": "production",
    }
    (shop.folder / "build/monitor.json").write_text(json.dumps(monitored), "utf-8")


def test_a_hook_that_names_the_repository(shop, state, proposals):
    """Hooks and `git rebase --exec` set GIT_DIR: the worktree's commits would land on main."""
    before = state()
    git_dir = shop.folder / ".git"
    shop.environment |= {"GIT_DIR": str(git_dir), "GIT_INDEX_FILE": str(git_dir / "index")}
    retrain(shop)
    for name in ("GIT_DIR", "GIT_INDEX_FILE"):
        del shop.environment[name]
    assert state() == before
    (branch,) = proposals()
    assert shop.git("rev-parse", f"{branch}^") == shop.git("rev-parse", "main")


def test_a_new_partition_is_proposed(shop, state, proposals):
    """One branch, one commit, one line changed; the checkout is as it was."""
    before = state()
    output = retrain(shop)
    assert state() == before
    assert proposals() == ["retrain/q4"]
    assert shop.git("rev-list", "--count", "HEAD..retrain/q4") == "1"
    diff = shop.git("diff", "--unified=0", "HEAD", "retrain/q4").splitlines()[5:]
    comment = "  # the newest quarter in use"
    assert diff == [f"-data: {{last: q3}}{comment}", f"+data: {{last: q4}}{comment}"]
    assert "new data: q4 arrived" in output
    assert not (shop.folder / "build/retrain/worktree").exists()
    proposal = json.loads((shop.folder / "build/retrain/proposal.json").read_text())
    assert proposal["commit"] == shop.git("rev-parse", "retrain/q4")
    assert proposal["verdict"] == "pass"
    assert "q4" in (shop.folder / "build/retrain/report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("store", "variable", "copy"),
    [("~/bundles", None, "home/bundles"), ("build/store", "kept/bundles", "shop/kept/bundles")],
)
def test_the_store_is_that_of_the_checkout(shop, tmp_path, store, variable, copy):
    """Wherever it is: below somebody's home, or where MLOPS_STORE points from here."""
    shutil.copytree(shop.folder / "build/store", tmp_path / copy)
    for folder in ("build/store", "build/cache"):
        shutil.rmtree(shop.folder / folder)
    override = {"MLOPS_STORE": variable} if variable else {}
    shop.environment |= {"HOME": str(tmp_path / "home")} | override
    shop.edit("params.yaml", "name: fares", f"name: fares\nstore: {store}")
    before = set(shop.folder.iterdir())
    assert "retrain/q4 proposes it" in retrain(shop)
    assert set(shop.folder.iterdir()) == before


def test_what_is_proposed_is_not_proposed_twice(shop, proposals):
    """Again: nothing to do, and older proposals make room. Merged: no reason any more."""
    stale(shop, "retrain/q3")
    assert "retrain/q3 removed" in retrain(shop)
    tip = shop.git("rev-parse", "retrain/q4")
    assert "proposes it already" in retrain(shop)
    assert (proposals(), shop.git("rev-parse", "retrain/q4")) == (["retrain/q4"], tip)
    shop.git("merge", "--quiet", "retrain/q4")
    assert "no reason: q4 is the newest partition" in retrain(shop)


@pytest.mark.parametrize(
    ("edit", "code", "reason"),
    [
        (("ridge: 0.5", "ridge: 90000"), 1, "gate is fail: Mean absolute error is "),
        (
            ("{mae: 0.05}", "{mae: 0.0000001}"),
            3,
            "gate is inconclusive: Better on average, ",
        ),
    ],
)
def test_what_the_gate_does_not_pass_is_no_proposal(shop, proposals, edit, code, reason):
    """The exit code is the gate's, its reason is named, and a stale proposal is taken back."""
    stale(shop, "retrain/q4")
    shop.edit("params.yaml", *edit)
    output = retrain(shop, code)
    assert f"nothing is proposed: the verdict of the {reason}" in output
    assert "retrain/q4 removed" in output
    assert proposals() == []


def test_an_empty_partition_is_no_proposal(shop, proposals):
    """What check-data refuses is not trained on."""
    shop.edit("data/__init__.py", "return rows, f", 'return rows[: 0 if name == "q4" else 600], f')
    output = retrain(shop, 1)
    assert "nothing is proposed: the verdict of check-data is fail: " in output
    assert "q4: there are no rows" in output
    assert proposals() == []


def test_a_model_in_quarantine_does_not_come_back(shop, proposals):
    """A retraining on a later commit would be another release of the very same model."""
    shop.edit("params.yaml", "{last: q3}", "{last: q4}")
    shop.mlops("train")
    digest = json.loads((shop.folder / "build/record.json").read_text())["model"]["digest"]
    shop.edit("params.yaml", "{last: q4}", "{last: q3}")
    release_id = quarantined(shop, digest, "fares were odd")
    assert f"very model of {release_id}, in quarantine: fares were odd" in retrain(shop, 1)
    assert proposals() == []


def test_an_alarm_without_new_data_has_nothing_to_learn_from(shop, proposals):
    """Training on the same partitions gives the same model; red, so that somebody hears of it."""
    shop.edit("data/__init__.py", '["q1", "q2", "q3", "q4"]', '["q1", "q2", "q3"]')
    alarm(shop, "performance")
    output = retrain(shop, 1)
    assert "performance: build/monitor.json: D201 km: it moved." in output
    assert "nothing new to learn: q3 is the newest partition" in output and "alarm stays" in output
    assert proposals() == []


def test_an_alarm_may_find_that_head_is_another_model(shop, proposals):
    """What was merged and never shipped is the answer; nothing needs merging, but doing."""
    shop.edit("data/__init__.py", '["q1", "q2", "q3", "q4"]', '["q1", "q2", "q3"]')
    shop.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    alarm(shop, "drift")
    assert "gives another model than production's, and it passes" in retrain(shop, 1)
    assert proposals() == []


def test_an_alarm_about_another_release_says_nothing(shop):
    """The release was rolled back or replaced since."""
    shop.edit("data/__init__.py", '["q1", "q2", "q3", "q4"]', '["q1", "q2", "q3"]')
    alarm(shop, "drift", "fares-20200101-0009-0123456789ab")
    assert "no reason: q3 is the newest partition, no alarm, any age" in retrain(shop)


def test_without_a_release_in_production_there_is_nothing_to_do(shop):
    """A fork's first days."""
    shop.git("checkout", "--quiet", "-B", "main", shop.git("rev-list", "--max-parents=0", "HEAD"))
    assert "production holds no release yet" in retrain(shop)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("checkout", "--quiet", "--detach"), "HEAD is on no branch"),
        (("checkout", "--quiet", "-b", "retrain/q0"), "a proposal itself"),
        (("branch", "retrain"), "There is a branch named retrain"),
    ],
)
def test_a_wrong_place_is_named(shop, command, message):
    """Each has a message of its own, before anything is trained."""
    shop.git(*command)
    assert message in retrain(shop, 2)


def test_data_last_left_open_is_named(shop):
    """With null every partition is used at once, and there is nothing to propose."""
    shop.edit("params.yaml", "{last: q3}", "{last: null}")
    assert "data.last is not set" in retrain(shop, 2)


def test_changes_not_committed_are_named(shop):
    """A proposal is made from a commit; a new partition that is not in it could not be found."""
    (shop.folder / "data/q5.parquet").touch()
    assert "These files differ from HEAD: data/q5.parquet." in retrain(shop, 2)


def test_a_branch_that_people_worked_on_is_left_alone(shop, proposals):
    """Its name is taken, and its commits are nobody's to remove."""
    stale(shop, "retrain/q4", "Mend it by hand")
    assert "git branch -m retrain/q4" in retrain(shop, 1)
    assert proposals() == ["retrain/q4"]


def test_a_killed_retraining_leaves_no_half_proposal(shop, state, proposals):
    """Whenever it dies there is either no branch or one that was judged; then it converges."""
    before = state()
    for seconds in (0.7, 1.5, 2.5, 4.0):
        shop.killed_after(seconds, "retrain")
        assert state()[:4] == before[:4]
        judged = (shop.folder / "build/retrain/verdict.json").exists()
        assert judged or not proposals()
    done = shop.mlops("retrain")
    assert "q4" in done.stdout
    assert proposals() == ["retrain/q4"]
    assert state() == before
    assert not (shop.folder / "build/retrain/worktree").exists()
