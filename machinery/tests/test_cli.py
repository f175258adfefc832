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
    """A step is a file is a verb: none is forgotten, none is a ghost."""
    files = {
        path.stem.replace("_", "-") for path in Path("machinery/mlops/steps").glob("[a-z]*.py")
    }
    assert files == set(STEPS)


def test_every_step_is_a_make_target():
    """What the command line can do, make can."""
    makefile = Path("machinery/mlops/machinery.mk").read_text("utf-8")
    assert [step for step in STEPS if step not in makefile] == []


def test_no_argument_prints_every_step():
    """`python -m mlops` alone is the list of what there is."""
    done = run()
    assert done.returncode == 0
    assert [step for step in STEPS if f"\n  {step} " not in done.stdout] == []


@pytest.mark.parametrize("step", STEPS)
def test_every_step_has_help(step, capsys):
    """A step explains itself in a sentence or more."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([step, "--help"])
    assert stopped.value.code == 0
    assert len(cli.step_module(step).__doc__.strip()) > 40
    assert f"{step}: " in capsys.readouterr().out


def test_help_imports_no_heavy_library():
    """Asking for help takes no seconds."""
    heavy = "pandas sklearn xgboost bentoml pandera matplotlib fsspec numpy"
    code = (
        "import sys; from mlops import cli; cli.build_parser([]); "
        f"print(sorted(set({heavy!r}.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_step_is_named():
    """argparse says what there is to choose from."""
    done = run("trian")
    assert done.returncode == 2
    assert "invalid choice: 'trian'" in done.stderr


def test_a_missing_option_is_told_as_make_takes_it():
    """Who types `make rollback` learns what to type."""
    done = run("rollback")
    assert done.returncode == 2
    assert "required: --env, --reason (make: ENV=... REASON=...)" in done.stderr


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (UserError("no such file"), 2),
        (Refused("P104 quarantined"), 1),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError("somebody else's"), 2),
    ],
)
def test_how_a_step_ends_is_the_exit_code(monkeypatch, capsys, outcome, code):
    """A mistake, a refusal and Ctrl-C each have their own code, and nothing unforeseen passes."""

    def run_step(_):
        raise outcome

    monkeypatch.setattr(cli.step_module("train"), "run", run_step)
    assert cli.main(["train"]) == code
    assert str(outcome) in capsys.readouterr().err


def fail_in(monkeypatch, tmp_path, file, code):
    """End a step by what a file of a repository does, and return how the command ended."""
    place = tmp_path / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(code, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.step_module("train"), "run", lambda _: runpy.run_path(str(place)))
    return cli.main(["train"])


@pytest.mark.parametrize("code", ["{}['boom']", "def broken(:"])
def test_a_mistake_in_the_teams_code_is_shown_from_there(monkeypatch, capsys, tmp_path, code):
    """The developer sees their own lines, not the machinery's, and no code that a rule gives."""
    assert fail_in(monkeypatch, tmp_path, "model/train.py", code) == cli.USAGE
    said = capsys.readouterr().err
    assert "error: your code:" in said and "model/train.py" in said and code in said
    assert "machinery/mlops/cli.py" not in said and "runpy" not in said


def test_a_mistake_of_the_machinery_is_shown_whole(monkeypatch, capsys, tmp_path):
    """Whoever mends it needs the way there."""
    assert fail_in(monkeypatch, tmp_path, "machinery/mlops/other.py", "1 / 0") == cli.USAGE
    said = capsys.readouterr().err
    assert "not yours" in said and "machinery/mlops/cli.py" in said and "ZeroDivisionError" in said


def test_a_python_without_the_packages_is_told_of_the_one_that_has_them():
    """Who types `python -m mlops` outside .venv learns where the packages are."""
    command = [sys.executable, "-S", "-m", "mlops", "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == cli.USAGE
    assert "has no package" in done.stderr and "make setup" in done.stderr


def test_a_folder_that_takes_no_files_is_named(monkeypatch, capsys):
    """A disk that is full or read-only is no mistake of anybody's code."""

    def run_step(_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "build")

    monkeypatch.setattr(cli.step_module("train"), "run", run_step)
    assert cli.main(["train"]) == cli.USAGE
    said = capsys.readouterr().err
    assert "build: Read-only file system" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("print('FAIL', flush=True) or 1", cli.CUT_SHORT),
        ("print('PASS', flush=True)", cli.CUT_SHORT),
        ("print('PASS')", cli.PASS),
    ],
)
def test_a_reader_that_went_away_makes_no_success(step, code):
    """As in `mlops gate | true`: a step was cut short, unless all it lost are its last words."""
    reading, writing = os.pipe()
    os.close(reading)
    program = (
        "from mlops import cli, exit; "
        f"cli.step_module('gate').run = lambda _: {step}; exit.leave(cli.main(['gate']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (code, "")


def test_steps_stop_at_the_first_that_fails(monkeypatch):
    """What follows a refusal is not run."""
    ran = []
    monkeypatch.setattr(cli.step_module("gate"), "run", lambda _: ran.append("gate") or 3)
    monkeypatch.setattr(cli.step_module("train"), "run", lambda _: ran.append("train"))
    assert cli.main(["gate", "train"]) == 3
    assert ran == ["gate"]


def test_outside_the_repository_it_says_so(tmp_path):
    """Run in an empty folder, a step names what is missing and where to go."""
    root = Path.cwd()
    done = subprocess.run(
        [sys.executable, "-m", "mlops", "train"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Run this in the repository's root" in done.stderr


def test_a_library_that_aborts_at_its_end_changes_no_exit_code():
    """What was done is done, and said, when the libraries are taken down."""
    code = (
        "import ctypes, runpy, sys; libc = ctypes.CDLL(None); libc.on_exit(libc.abort, None); "
        "sys.argv = ['mlops']; runpy.run_module('mlops', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "the steps of a model's life" in done.stdout.lower()
