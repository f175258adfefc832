"""What is no step but a program of its own ends as the steps do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops import cli
from mlops.errors import Refused, UserError

PROGRAMS = ("benchmarks.gate_study", "benchmarks.replay")
STEPS = ("audit", "ci", "demo", "schema", "serve", "dashboards")


@pytest.mark.parametrize("words", [*((name,) for name in PROGRAMS), *(("mlops", s) for s in STEPS)])
def test_outside_the_repository_it_says_so(tmp_path, words):
    """No traceback for who stands in the wrong folder."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "\nerror: " in done.stderr and "Traceback" not in done.stderr


def test_every_program_is_tried():
    """A new one is a new entry above."""
    found = {path.parent.name for path in Path("machinery/benchmarks").glob("*/__main__.py")}
    assert {f"benchmarks.{name}" for name in found} == set(PROGRAMS)


@pytest.mark.parametrize(
    ("outcome", "code", "told"),
    [
        (UserError("no such file"), 2, "error: no such file"),
        (Refused("P104"), 1, "refused: P104"),
        (KeyboardInterrupt(), 130, "stopped by the user; begin anew."),
    ],
)
def test_how_it_ends_is_told(capsys, outcome, code, told):
    """A mistake, a refusal, Ctrl-C."""

    def run():
        raise outcome

    assert cli.ending(run, "begin anew") == code
    assert capsys.readouterr().err == f"\n{told}\n"
    assert [cli.ending(lambda end=end: end) for end in (None, 0, 3)] == [0, 0, 3]
