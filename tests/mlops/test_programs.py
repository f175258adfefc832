"""What is no step but a program of its own ends as the steps do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops import cli
from mlops.errors import Refused, UserError

PROGRAMS = (
    *("mlops.audit", "mlops.ci", "mlops.demo", "mlops.schema", "mlops.serve", "mlops.watching"),
    *("benchmarks.gate_study", "benchmarks.replay"),
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_outside_the_repository_it_says_so(tmp_path, name):
    """No traceback for who stands in the wrong folder."""
    for folder in ("mlops", "benchmarks"):
        (tmp_path / folder).symlink_to(Path(folder).absolute())
    done = subprocess.run(
        [sys.executable, "-m", name],
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
    ours = Path("mlops").glob("*.py")
    found = {f"mlops.{path.stem}" for path in ours if "__main__" in path.read_text("utf-8")}
    for top in ("mlops", "benchmarks"):
        found |= {f"{top}.{path.parent.name}" for path in Path(top).glob("*/__main__.py")}
    assert found - {"mlops.__main__"} == set(PROGRAMS)


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
