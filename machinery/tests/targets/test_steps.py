"""deploy, loadtest and down as anybody runs them, on a fork with its own data and model."""

import json
import os
import shutil
from contextlib import chdir
from dataclasses import replace

import pytest

from mlops import cli
from mlops.releases import bundle, environments, evidence
from mlops.targets import local

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shipped(fork):
    """The fork with a release promoted to dev; returns its id."""
    steps = "check-data train evaluate report gate package promote"
    fork.mlops(*steps.split(), "--env", "dev")
    with chdir(fork.folder):
        return environments.environment("dev").release.release_id


@pytest.fixture
def dev(fork, shipped):  # pylint: disable=unused-argument  # it must be there to be deployed
    """Runs a step for dev, which serves its release, and returns what it printed and its exit."""
    fork.mlops("deploy", "--env", "dev")

    def run(*arguments, env="dev"):
        done = fork.mlops(*arguments, *(["--env", env] if env else []), check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_deploying_twice(dev, shipped):
    """The second time verifies."""
    code, output = dev("deploy")
    assert code == 0
    assert f"dev serves {shipped} already" in output


def test_a_load_test_leaves_evidence(fork, dev, shipped):
    """Of the kind that a promotion reads, with the figures it was judged by."""
    code, output = dev("loadtest")
    assert code == 0, output
    with chdir(fork.folder):
        (proof,) = evidence.collected(shipped)
    assert (proof.kind, proof.environment, proof.verdict) == ("load-test", "dev", "pass")
    assert proof.figures["requests"] >= 5
    assert proof.figures["p95_ms"] <= 10_000


def test_a_failed_load_test_is_evidence_too(fork, dev, shipped):
    """A budget nobody can keep; exit code 1."""
    fork.edit("params.yaml", "p95_ms: 10000", "p95_ms: 0.1")
    code, output = dev("loadtest")
    fork.edit("params.yaml", "p95_ms: 0.1", "p95_ms: 10000")
    content = json.loads((fork.folder / f"build/evidence/{shipped}/load-test.json").read_text())
    assert code == 1
    assert content["verdict"] == "fail"
    assert content["reason"].startswith("L104 ") and content["reason"] in output


def deploy_by_hand(fork, release_id, name="dev", **settings):
    """Deploy dev's bundle under an id and to an environment of one's own choice."""
    with chdir(fork.folder):
        dev = environments.environment("dev")
        digest = dev.release.promoted.bundle.digest.removeprefix("sha256:")
        environment = replace(dev, name=name, settings=dev.settings.model_copy(update=settings))
        bundle = fork.folder / "build/cache/bundles" / digest
        return local.deploy(environment, release_id, bundle, 30)


def test_another_release_is_not_tested(fork, dev, shipped):
    """What answers must be what release.yaml names; both are named."""
    deploy_by_hand(fork, "r-0")
    code, output = dev("loadtest")
    assert code == 1
    assert f"dev serves r-0, but environments/dev/release.yaml names {shipped}" in output


def test_an_environment_without_release_is_not_tested(dev):
    """Nothing was promoted to staging."""
    code, output = dev("loadtest", env="staging")
    assert code == 2
    assert "environments/staging/release.yaml names no release yet" in output


@pytest.mark.parametrize("fault, message", [("gone", "has no sha256/"), ("other", "other bytes")])
def test_a_store_without_the_bundle_changes_nothing(fork, dev, shipped, fault, message):
    """A missing or altered bundle is reported, and the live release keeps serving."""
    store, copy = fork.folder / "build/store", fork.folder / "build/kept"
    shutil.copytree(store, copy)
    shutil.rmtree(fork.folder / "build/cache")
    (packed,) = store.rglob("*.tar")
    packed.write_bytes(b"something else")
    if fault == "gone":
        packed.unlink()
    code, output = dev("deploy")
    shutil.rmtree(store)
    os.rename(copy, store)
    assert code == 2
    assert message in output
    with chdir(fork.folder):
        assert local.live(environments.environment("dev")).release_id == shipped


@pytest.fixture
def slow_store(monkeypatch):
    """Lets something happen in the repository while `deploy`, in this process, fetches."""

    def during(happen):
        fetch = bundle.fetch

        def slowly(*arguments):
            folder = fetch(*arguments)
            happen()
            return folder

        monkeypatch.setattr(bundle, "fetch", slowly)

    return during


def deploy_here(fork):
    """Run `deploy` for dev in this process and return its exit code."""
    with chdir(fork.folder):
        return cli.main(["deploy", "--env", "dev"])


def test_a_rollback_during_the_fetch_wins(fork, dev, shipped, slow_store, capsys):
    """The release that is fetched slowly was checked before it went into quarantine."""
    (fork.folder / "notes.md").write_text("A change.\n", "utf-8")
    fork.git("add", "notes.md")
    fork.git("commit", "--quiet", "--message", "Change something")
    fork.mlops(*"check-data train evaluate report gate package promote".split(), "--env", "dev")
    with chdir(fork.folder):
        bad = environments.environment("dev").release.release_id
    assert bad != shipped

    def roll_back():
        fork.mlops("rollback", "deploy", "--env", "dev", "--reason", "wrong")

    with pytest.MonkeyPatch.context() as patch:
        # Nothing happens meanwhile: it is deployed.
        patch.setenv("PYTHONPATH", fork.environment["PYTHONPATH"])
        assert deploy_here(fork) == 0
        slow_store(roll_back)
        capsys.readouterr()
        assert deploy_here(fork) == 1
    assert f"release.yaml names {shipped} now" in "".join(capsys.readouterr())
    with chdir(fork.folder):
        assert local.live(environments.environment("dev")).release_id == shipped
    assert dev("deploy")[0] == 0


def test_down_stops_everything(fork, dev, port):
    """Also what ran for an environment whose folder is gone; nothing running is fine."""
    deploy_by_hand(fork, "r-0", name="former", port=port)
    code, output = dev("down", env=None)
    assert code == 0
    assert "dev: stopped" in output and "staging: nothing ran" in output
    assert "former: stopped; environments/former/ is gone or broken" in output
    assert "stopped" not in fork.mlops("down").stdout


def test_down_stops_what_broken_settings_hide(fork, dev):
    """A typing mistake in settings.yaml leaves nothing running that nobody can find."""
    settings = fork.folder / "environments/dev/settings.yaml"
    text = settings.read_text("utf-8")
    settings.write_text(f"{text}\nprot: 1\n", "utf-8")
    code, output = dev("down", env=None)
    settings.write_text(text, "utf-8")
    assert code == 2
    assert "dev: stopped; environments/dev/ is gone or broken" in output
    assert "unknown key" in output
