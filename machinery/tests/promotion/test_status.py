"""Status: one look shows what should run, what runs, and what is broken."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mlops.releases.release import none_yet, short
from mlops.targets import Live, local

PRODUCTION = "environments/production/release.yaml"


def line(clone, name, *more):
    """The words of an environment's line."""
    answer = clone.mlops("status", *more)
    assert answer.code == 0
    return next(row for row in answer.text.splitlines() if row.startswith(name))


def test_before_the_first_promotion(clone):
    """Nothing should run and nothing does."""
    assert line(clone, "dev").split() == ["dev", "none", "nothing", "none", "yet"]


def test_a_release_that_is_not_deployed(clone, two):
    """What should run does not."""
    shown = line(clone, "production")
    assert short(two[1]) in shown and "not running" in shown and "load-test pass" in shown


@pytest.mark.parametrize(("served", "state"), [(0, "differs"), (1, "live")])
def test_what_runs_is_what_answers(clone, two, monkeypatch, served, state):
    """Whatever should run."""
    monkeypatch.setattr(local, "live", lambda _: Live(two[served], "http://x", "now"))
    row = json.loads(clone.mlops("status", "--json").text)["environments"][2]
    assert (row["live"], row["url"], row["state"]) == (two[served], "http://x", state)
    assert row["since"]


@pytest.mark.usefixtures("two")
def test_how_far_behind(clone):
    """The number of releases that came to the environment before since."""
    clone.ship("dev", "staging", model="three")
    clone.ship("dev", "staging", model="four")
    clone.package("five")
    shown = json.loads(clone.mlops("status", "--json").text)["environments"]
    assert [row["behind"] for row in shown] == [1, 0, 2]


@pytest.mark.usefixtures("two")
def test_one_environment(clone):
    """--env shows that line alone."""
    assert "dev" not in clone.mlops("status", "--env", "staging").text


def test_an_environment_that_is_not_there(clone):
    """A typing error is reported with the existing names."""
    answer = clone.mlops("status", "--env", "prod")
    assert answer.code == 2 and "dev, staging, production" in answer.text


@pytest.mark.usefixtures("two")
def test_a_broken_release(clone):
    """It reports what is broken, and shows the others."""
    clone.edit(PRODUCTION, "bytes: 9", "bytes: 10")
    assert "broken" in line(clone, "production") and "not running" in line(clone, "staging")
    assert "production is broken: " in clone.mlops("status").text


@pytest.mark.parametrize(
    "change",
    [
        lambda clone: clone.git("revert", "--no-edit", "HEAD"),
        lambda clone: clone.edit(PRODUCTION, "p95 31 ms", "p95 3 ms"),
        lambda clone: clone.commit(PRODUCTION, f"# Emptied.\n{none_yet()}"),
    ],
    ids=["reverted", "edited", "emptied"],
)
@pytest.mark.usefixtures("two")
def test_a_release_that_no_promotion_put_there(clone, change):
    """Its seal fits; it is still reported that another one would be deployed."""
    change(clone)
    assert "broken" in line(clone, "production")
    assert "P106 release.yaml changes only by" in clone.mlops("status").text


def test_a_first_promotion_that_was_reverted(clone):
    """No release is there, and yet not as if there had been none."""
    clone.ship("dev")
    clone.git("revert", "--no-edit", "HEAD")
    assert (
        "broken" in line(clone, "dev") and "holds an earlier version" in clone.mlops("status").text
    )


@pytest.mark.usefixtures("two")
def test_a_broken_policy(clone):
    """Without its order an environment is still shown."""
    Path("environments/staging/policy.yaml").write_text("from: [dev\n", "utf-8")
    assert "broken" in line(clone, "staging") and "not running" in line(clone, "production")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"- x\n", "quarantine.yaml:1"), (b"# \xff\n", "quarantine.yaml is not UTF-8 text")],
)
def test_a_broken_quarantine(clone, content, message):
    """It is printed, not raised."""
    Path("environments/quarantine.yaml").write_bytes(content)
    clone.git("commit", "-qam", "by hand")
    answer = clone.mlops("status")
    assert (answer.code, message in answer.text) == (0, True), answer.text


@pytest.mark.usefixtures("two")
def test_an_unknown_target(clone):
    """What it cannot ask it names."""
    clone.edit("environments/dev/settings.yaml", "target: local", "target: moon")
    assert "target is 'moon'" in clone.mlops("status").text


def test_outside_a_repository(tmp_path, monkeypatch, clone):
    """Nothing there is no traceback."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert clone.mlops("status").code == 0


@pytest.mark.usefixtures("two")
def test_quarantine_and_rollback_are_shown(clone):
    """Why production is not what was promoted last stands below the table."""
    clone.mlops("rollback", "--env", "production", "--reason", "too slow")
    text = clone.mlops("status").text
    assert "production was rolled back: too slow" in text and "1 in quarantine" in text
    assert "quarantined" in line(clone, "staging")


@pytest.mark.usefixtures("two")
@pytest.mark.usefixtures("clone")
def test_it_is_quick():
    """As quick as a look has to be, the start of Python included."""
    command = [sys.executable, "-m", "mlops", "status"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Time of the processor: the clock on the wall would measure what else runs here.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
