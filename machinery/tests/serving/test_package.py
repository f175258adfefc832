"""The package step packs only a model that passed, only committed files, and nothing partially."""

import json
import os
import signal
import subprocess
import time

import pytest

from mlops.releases.store import Store
from mlops.steps.package import repository_in


def test_packaging_twice_gives_one_release(packaged_once):
    """The id and the digest are the same, and the store is unchanged."""
    before, modified = packaged_once.release, packaged_once.bundle.stat().st_mtime_ns
    done = packaged_once.run("package")
    assert done.returncode == 0 and "already in build/store" in done.stdout
    assert packaged_once.release == before
    assert packaged_once.bundle.stat().st_mtime_ns == modified


def test_the_release_names_what_was_built(packaged_once):
    """The release holds commit, model, partitions and the gate's verdict."""
    spec, record = packaged_once.release.spec, packaged_once.path / "build/record.json"
    assert spec.promoted.source.commit == packaged_once.git("rev-parse", "HEAD")
    assert spec.promoted.model.digest == json.loads(record.read_text())["model"]["digest"]
    assert (spec.promoted.data.train, spec.promoted.data.holdout) == (("one",), ("two",))
    assert [(proof.kind, proof.verdict) for proof in spec.evidence] == [("gate", "pass")]


@pytest.mark.parametrize(
    "url, repository",
    [
        ("https://user:secret@example.org/team/mini.git", "team/mini"),
        ("https://example.org/team/mini", "team/mini"),
        ("ssh://git@example.org:2222/team/mini.git", "team/mini"),
        ("git@example.org:team/mini.git", "team/mini"),
        ("https://user:sec/ret@example.org/team/mini.git", None),
        ("/srv/git/mini.git", None),
        ("", None),
    ],
)
def test_the_repository_is_named_without_its_password(url, repository):
    """A remote's URL may hold credentials, so only owner and name are kept."""
    assert repository_in(url) == repository


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_only_a_pass_is_packed(checkout, verdict):
    """Inconclusive is not a pass."""
    checkout.judge(verdict)
    done = checkout.run("package")
    assert done.returncode == 1 and f"refused: the verdict of the gate is {verdict}" in done.stderr
    assert not (checkout.path / "build/store").exists()


def test_a_verdict_on_another_training_is_refused(checkout):
    """A verdict counts only for the record it judged."""
    record = json.loads((checkout.path / "build/record.json").read_text())
    record["training"]["seed"] = 1
    checkout.write("build/record.json", json.dumps(record))
    done = checkout.run("package")
    assert done.returncode == 1 and "about another training" in done.stderr


def test_no_verdict_is_a_mistake(checkout):
    """The message names the missing step."""
    (checkout.path / "build/verdict.json").unlink()
    done = checkout.run("package")
    assert done.returncode == 2 and "make gate" in done.stderr


@pytest.mark.parametrize("name", ["params.yaml", "model/new.py", "requirements-serve.txt"])
def test_files_that_no_commit_holds_are_named(checkout, name):
    """A changed or new file of the release that differs from the commit is an error."""
    with (checkout.path / name).open("a") as file:
        file.write("\n# changed\n")
    done = checkout.run("package")
    assert done.returncode == 1 and name in done.stderr


def test_a_later_commit_that_changes_the_sources_is_refused(checkout):
    """The current files are not those that the model was trained with."""
    checkout.write("data/more.py", "")
    checkout.commit()
    done = checkout.run("package")
    assert done.returncode == 1 and "data/more.py" in done.stderr


def test_a_later_commit_that_changes_no_source_is_accepted(checkout, packaged_once):
    """Documentation may change; the release names the commit of the training."""
    checkout.write("machinery/docs/page.md", "text")
    checkout.commit()
    assert checkout.run("package").returncode == 0
    assert checkout.release.release_id == packaged_once.release.release_id


def test_training_on_uncommitted_files_is_refused(checkout):
    """A later commit does not help: the record lists the uncommitted files."""
    checkout.write("model/extra.py", "")
    assert checkout.run("train").returncode == 0
    checkout.judge("pass")
    checkout.commit()
    done = checkout.run("package")
    assert done.returncode == 1 and "trained with files" in done.stderr
    assert "model/extra.py" in done.stderr


def test_a_model_changed_after_training_is_refused(checkout):
    """The digest is computed again before packing."""
    next((checkout.path / "build/models").rglob("model.json")).write_text('{"slope": 9}')
    done = checkout.run("package")
    assert done.returncode == 2 and "was changed after training" in done.stderr


@pytest.mark.parametrize("seconds", [0.6, 1.0, 1.4])
def test_a_kill_leaves_nothing_half_done(checkout, packaged_once, seconds, monkeypatch):
    """Whenever the kill comes, no release names a partial bundle, and a second run succeeds."""
    monkeypatch.chdir(checkout.path)
    with subprocess.Popen(
        checkout.command("package"), env=checkout.environ, start_new_session=True
    ) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
    if checkout.release:
        assert checkout.bundle.read_bytes() == packaged_once.bundle.read_bytes()
    assert checkout.run("package").returncode == 0
    assert checkout.release.release_id == packaged_once.release.release_id
    Store("build/store").fetch(checkout.release.promoted.bundle.digest)
