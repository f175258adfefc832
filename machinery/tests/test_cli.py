"""The command line: help, documented exit codes, no traceback for a mistake."""

import errno
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mlops import cli
from mlops.errors import Refused, UserError

STEPS = [name for names in cli.GROUPS.values() for name in names]


def run(*arguments):
    """Run the real command line."""
    command = [sys.executable, "-m", "mlops", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_step_file_is_listed():
    """A step is a file is a verb: the help lists every file, and nothing else."""
    files = {
        path.stem.replace("_", "-") for path in Path("machinery/mlops/steps").glob("[a-z]*.py")
    }
    assert files == set(STEPS)


def test_every_step_is_a_make_target():
    """Every step of the command line is a make target."""
    makefile = Path("machinery/mlops/machinery.mk").read_text("utf-8")
    assert [step for step in STEPS if step not in makefile] == []


def test_no_argument_prints_every_step():
    """`python -m mlops` alone lists every step."""
    process = run()
    assert process.returncode == 0
    assert [step for step in STEPS if f"\n  {step} " not in process.stdout] == []


@pytest.mark.parametrize("step", STEPS)
def test_every_step_has_help(step, capsys):
    """A step explains itself in a sentence or more."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([step, "--help"])
    assert stopped.value.code == 0
    assert len(cli.step_module(step).__doc__.strip()) > 40
    assert f"{step}: " in capsys.readouterr().out


def test_help_imports_no_heavy_library():
    """The help appears at once."""
    heavy = "pandas sklearn xgboost bentoml pandera matplotlib fsspec numpy"
    code = (
        "import sys; from mlops import cli; cli.build_parser([]); "
        f"print(sorted(set({heavy!r}.split()) & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


def test_python_without_docstrings_runs_the_steps():
    """PYTHONOPTIMIZE=2 leaves them out."""
    for words in (["--help"], ["status", "--help"]):
        command = [sys.executable, "-OO", "-m", "mlops", *words]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert process.returncode == 0 and "status" in process.stdout, process.stderr


def test_an_unknown_step_is_named():
    """argparse names the unknown step."""
    process = run("trian")
    assert process.returncode == 2
    assert "invalid choice: 'trian'" in process.stderr


def test_the_error_for_a_missing_option_shows_the_make_variables():
    """A person who types `make rollback` sees which variables to add."""
    process = run("rollback")
    assert process.returncode == 2
    assert "required: --env, --reason (make: ENV=... REASON=...)" in process.stderr


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (UserError("no such file"), 2),
        (Refused("P104 quarantined"), 1),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError("somebody else's"), 2),
    ],
)
def test_each_outcome_of_a_step_has_its_exit_code(monkeypatch, capsys, outcome, code):
    """A mistake, a refusal and Ctrl-C each have their own code; an unexpected error has 2."""

    def run_step(_):
        raise outcome

    monkeypatch.setattr(cli.step_module("train"), "run", run_step)
    assert cli.main(["train"]) == code
    assert str(outcome) in capsys.readouterr().err


def fail_in(monkeypatch, tmp_path, file, code):
    """Run a step that executes this code in a file of a repository; return the exit code."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.step_module("train"), "run", lambda _: runpy.run_path(str(path)))
    return cli.main(["train"])


@pytest.mark.parametrize("code", ["{}['boom']", "def broken(:"])
def test_a_mistake_in_the_teams_code_is_shown_from_there(monkeypatch, capsys, tmp_path, code):
    """The developer sees their own frames only, and the exit code differs from a refusal's."""
    assert fail_in(monkeypatch, tmp_path, "model/train.py", code) == cli.USAGE
    errors = capsys.readouterr().err
    assert "error: your code:" in errors and "model/train.py" in errors and code in errors
    assert "machinery/mlops/cli.py" not in errors and "runpy" not in errors


def test_a_mistake_of_the_machinery_is_shown_whole(monkeypatch, capsys, tmp_path):
    """A maintainer needs the whole traceback."""
    assert fail_in(monkeypatch, tmp_path, "machinery/mlops/other.py", "1 / 0") == cli.USAGE
    errors = capsys.readouterr().err
    assert (
        "not yours" in errors
        and "machinery/mlops/cli.py" in errors
        and "ZeroDivisionError" in errors
    )


def test_a_python_without_the_packages_names_the_one_that_has_them():
    """A person who types `python -m mlops` outside .venv learns where the packages are."""
    command = [sys.executable, "-S", "-m", "mlops", "status"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == cli.USAGE
    assert "has no package" in process.stderr and "make setup" in process.stderr


def test_a_folder_that_takes_no_files_is_named(monkeypatch, capsys):
    """The error for a full or read-only disk blames no code."""

    def run_step(_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "build")

    monkeypatch.setattr(cli.step_module("train"), "run", run_step)
    assert cli.main(["train"]) == cli.USAGE
    errors = capsys.readouterr().err
    assert "build: Read-only file system" in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("print('FAIL', flush=True) or 1", cli.CUT_SHORT),
        ("print('PASS', flush=True)", cli.CUT_SHORT),
        ("print('PASS')", cli.PASS),
    ],
)
def test_a_lost_reader_is_no_success(step, code):
    """As in `mlops gate | true`: a step was cut short, unless only unflushed output was lost."""
    reading, writing = os.pipe()
    os.close(reading)
    program = (
        "from mlops import cli, exit; "
        f"cli.step_module('gate').run = lambda _: {step}; exit.exit_now(cli.main(['gate']))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (code, "")


def test_steps_stop_at_the_first_that_fails(monkeypatch):
    """The steps after a refusal do not run."""
    ran = []
    monkeypatch.setattr(cli.step_module("gate"), "run", lambda _: ran.append("gate") or 3)
    monkeypatch.setattr(cli.step_module("train"), "run", lambda _: ran.append("train"))
    assert cli.main(["gate", "train"]) == 3
    assert ran == ["gate"]


def test_outside_the_repository_the_error_names_the_right_folder(tmp_path):
    """In an empty folder a step asks to be run in the repository's root."""
    root = Path.cwd()
    process = subprocess.run(
        [sys.executable, "-m", "mlops", "train"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert "Run this in the repository's root" in process.stderr


def test_a_library_that_aborts_at_exit_does_not_change_the_exit_code():
    """The output is written and the exit code is set before any library's teardown."""
    code = (
        "import ctypes, runpy, sys; libc = ctypes.CDLL(None); libc.on_exit(libc.abort, None); "
        "sys.argv = ['mlops']; runpy.run_module('mlops', run_name='__main__')"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0 and "the steps of a model's life" in process.stdout.lower()
