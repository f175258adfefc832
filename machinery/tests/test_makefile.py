"""The Makefile: what it lists, what it hands to a step, and how it installs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlops.cli import GROUPS, step_module

STEPS = [step for steps in GROUPS.values() for step in steps]


def make(*arguments: str, folder: Path = Path("."), **environment: str):
    """Run make in a folder, free of what was said to a make that may be running these tests."""
    said = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS", "ENV", "TO", "REASON", "PYTHON")
    kept = {key: value for key, value in os.environ.items() if key not in said}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path):
    """A folder, its name with a space, that holds the Makefile and a lock of two packages."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    shutil.copy("Makefile", folder)
    (folder / "machinery/mlops").mkdir(parents=True)
    shutil.copy("machinery/mlops/machinery.mk", folder / "machinery/mlops")
    pins = re.split(
        r"^(?=[a-z0-9])", Path("requirements.txt").read_text(encoding="utf-8"), flags=re.M
    )
    lock = "".join(pin for pin in pins if pin.startswith(("iniconfig==", "uv==")))
    (folder / "requirements.txt").write_text(lock, encoding="utf-8")
    return folder


@pytest.fixture
def spoken(checkout):
    """A checkout whose Python says its arguments, one a line, instead of running them."""
    binaries = checkout / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="utf-8")
    (binaries / "python").chmod(0o755)
    (checkout / ".venv" / "stamp").touch()
    return checkout


@pytest.mark.parametrize("step", STEPS)
def test_help_lists_every_step(step):
    assert re.search(rf"^  make {step} +\S", make().stdout, re.M)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_a_target(spoken, step):
    assert make(step, folder=spoken).stdout.split() == ["-m", "mlops", step]


def test_the_environment_and_further_arguments_reach_the_step(spoken):
    said = make("deploy", "ENV=staging", "ARGS=--dry-run", folder=spoken).stdout.split()
    assert said == ["-m", "mlops", "deploy", "--env", "staging", "--dry-run"]


@pytest.mark.parametrize("step", STEPS)
def test_the_environment_reaches_the_steps_that_have_one_and_no_other(spoken, step):
    """So that `make gate package promote ENV=dev` is one command, and ENV of a shell stops none."""
    taken = any(option.flag == "--env" for option in getattr(step_module(step), "OPTIONS", ()))
    said = make(step, folder=spoken, ENV="dev").stdout.split()
    assert said[3:] == (["--env", "dev"] if taken else [])


def test_steps_follow_one_another_though_make_is_told_to_hurry(spoken):
    """Many have MAKEFLAGS=-j8 in their shell, and evaluate reads what train wrote."""
    slow = "#!/bin/sh\necho begin $3; sleep 0.2; echo end $3\n"
    (spoken / ".venv/bin/python").write_text(slow, encoding="utf-8")
    said = make("train", "evaluate", folder=spoken, MAKEFLAGS="-j8").stdout.splitlines()
    assert said == ["begin train", "end train", "begin evaluate", "end evaluate"]


def test_a_reason_is_never_run(spoken):
    reason = """it's "bad": $(touch ran) `touch ran` $(shell touch ran) #1; touch ran"""
    said = make("rollback", "TO=flights-1", folder=spoken, REASON=reason).stdout.splitlines()
    assert said[3:] == ["--to", "flights-1", "--reason", reason]
    assert not (spoken / "ran").exists()


def test_to_is_a_format_for_the_export_and_no_word_for_the_step_after(spoken):
    """One make may export and package."""
    said = make("export", "package", "TO=onnx", folder=spoken).stdout.split()
    assert said == ["-m", "mlops", "export", "--to", "onnx", "-m", "mlops", "package"]


def test_a_reason_is_for_the_rollback_alone(spoken):
    said = make("rollback", "deploy", "ENV=production", folder=spoken, REASON="slow").stdout.split()
    assert said[said.index("deploy") :] == ["deploy", "--env", "production"]


def test_nothing_is_installed_twice(spoken):
    assert "installing" not in make("setup", folder=spoken).stdout


@pytest.mark.parametrize("stamped", [True, False], ids=["with a stamp", "without"])
def test_an_environment_that_is_named_is_used_as_it_is(spoken, stamped):
    """What others made, such as conda or an image, has no stamp; nothing is installed there."""
    other = (spoken / ".venv").rename(spoken.parent / "other")
    if not stamped:
        (other / "stamp").unlink()
    os.utime(spoken / "requirements.txt")
    answer = make("train", f"VENV={other}", folder=spoken)
    assert answer.stdout.split() == ["-m", "mlops", "train"]
    assert not (spoken / ".venv").exists() and (other / "stamp").exists() == stamped


def test_an_environment_that_is_named_and_has_no_python_is_refused(spoken):
    """What was looked for, where, and what to do."""
    answer = make("train", "VENV=nowhere", folder=spoken)
    assert answer.returncode != 0
    assert "VENV=nowhere has no bin/python. Name a virtual environment" in answer.stderr
    assert "No rule to make target" not in answer.stderr


def test_what_was_locked_is_installed_before_the_next_target_runs(spoken):
    """Make looks at a file's age once, and `make lock schema` would go on without the package."""
    subprocess.run(["git", "init", "--quiet"], cwd=spoken, check=True)
    uv = spoken / ".venv/bin/uv"
    locks = "case $2 in compile) sleep 0.1; touch requirements.txt;; *) echo installed;; esac"
    uv.write_text(f"#!/bin/sh\n{locks}\n", encoding="utf-8")
    uv.chmod(0o755)
    (spoken / "requirements-serve.txt").touch()
    said = make("lock", "schema", folder=spoken).stdout.splitlines()
    assert said.index("installed") < said.index("schema")


def test_a_python_too_old_is_named(checkout):
    old = checkout.parent / "old-python"
    old.write_text("#!/bin/sh\n[ $1 = --version ] && echo Python 3.10.13\n", encoding="utf-8")
    old.chmod(0o755)
    answer = make("setup", f"PYTHON={old}", folder=checkout)
    assert answer.returncode != 0
    assert "No Python 3.11 to 3.14" in answer.stderr
    assert "Found: Python 3.10.13." in answer.stderr


@pytest.mark.slow
def test_an_installation_cut_short_begins_again(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    shutil.copy("/bin/sh", checkout / ".venv" / "bin" / "python")
    answer = make("setup", folder=checkout)
    assert answer.returncode == 0, answer.stderr
    assert (checkout / ".venv" / "stamp").exists()
    python = checkout / ".venv" / "bin" / "python"
    subprocess.run([python, "-c", "import iniconfig"], check=True)


def test_a_start_is_told_by_make_alone(spoken):
    """A shell may have a TIME of its own, which is not the name of a column."""
    words = ("FROM=a b.csv", "TARGET=price", "GROUP=shop", "FORCE=1")
    said = make("start", *words, folder=spoken, TIME="%E real", MODEL="x").stdout.splitlines()
    options = ["--from", "a b.csv", "--target", "price", "--group", "shop", "--force"]
    assert said[3:] == options
