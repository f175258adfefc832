"""Programs that are no steps exit as the steps do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops import cli
from mlops.errors import Refused, UserError

PROGRAMS = ("benchmarks.gate_study", "benchmarks.replay")
STEPS = ("audit", "ci", "demo", "schema", "serve", "dashboards")


@pytest.mark.parametrize(
    "command", [*((name,) for name in PROGRAMS), *(("mlops", step) for step in STEPS)]
)
def test_outside_the_repository_the_error_is_no_traceback(tmp_path, command):
    """A person in the wrong folder gets one clear error."""
    process = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2, process.stderr
    assert "\nerror: " in process.stderr and "Traceback" not in process.stderr


def test_every_program_is_listed_above():
    """A new program needs an entry in PROGRAMS."""
    names = {path.parent.name for path in Path("machinery/benchmarks").glob("*/__main__.py")}
    assert {f"benchmarks.{name}" for name in names} == set(PROGRAMS)


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        (UserError("no such file"), 2, "error: no such file"),
        (Refused("P104"), 1, "refused: P104"),
        (KeyboardInterrupt(), 130, "stopped by the user; begin anew."),
    ],
)
def test_each_outcome_has_an_exit_code_and_a_message(capsys, outcome, code, message):
    """The outcomes are a mistake, a refusal and Ctrl-C."""

    def run():
        raise outcome

    assert cli.exit_code_of(run, "begin anew") == code
    assert capsys.readouterr().err == f"\n{message}\n"
    results = (None, 0, 3)
    assert [cli.exit_code_of(lambda result=result: result) for result in results] == [0, 0, 3]
