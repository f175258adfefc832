"""What is reported of a program that failed: its last line, and the team's part of a traceback."""

import re
import subprocess
import sys

import pytest

from mlops.errors import failure

MODEL = """
def predict(rows):
    for row in rows:
        _score(row)


def _score(row):
    try:
        return {"inner": 1}[row]
    except KeyError as error:
        raise ValueError(f"no zone: {row}.") from error
"""
BEGIN = "import sys, model\n"
CALL = "model.predict(['outer'])\n"
# As a service does, which goes on and logs.
LOG = """
import traceback
print("2026-01-02T03:04:05+0000 [INFO] started", file=sys.stderr)
try:
    model.predict(["outer"])
except ValueError:
    traceback.print_exc()
print("2026-01-02T03:04:06+0000 [ERROR] and on it goes", file=sys.stderr)
"""


@pytest.fixture
def fails(tmp_path):
    """What is reported of a program that calls the team's `model`."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/__init__.py").write_text(MODEL, "utf-8")

    def run(code):
        (tmp_path / "main.py").write_text(BEGIN + code, "utf-8")
        command = [sys.executable, "main.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return failure(done.stderr, f"exit code {done.returncode}", tmp_path)

    return run


@pytest.mark.parametrize("code", [CALL, LOG], ids=["ends", "logs on"])
def test_the_whole_way_through_the_team_s_code_is_shown(fails, code):
    """With what caused it; neither the temporary folder nor what was logged later."""
    first, *traced = fails(code).splitlines()
    assert first == "ValueError: no zone: outer." == traced[-1]
    assert traced[0] == '  File "model/__init__.py", line 9, in _score'
    team = re.findall(r'(?m)^  File "(model/.*?)", line (\d+)', "\n".join(traced))
    assert team == [("model/__init__.py", line) for line in ("9", "4", "11")]
    assert "KeyError: 'outer'" in traced


def test_an_error_of_syntax_shows_its_line(fails, tmp_path):
    """No frame is the team's then; the place that Python names is."""
    (tmp_path / "model/__init__.py").write_text("def predict(rows:\n", "utf-8")
    first, place, line, *_ = fails(CALL).splitlines()
    assert first.startswith("SyntaxError: ") and place == '  File "model/__init__.py", line 1'
    assert line == "    def predict(rows:"


@pytest.mark.parametrize(
    ("code", "reported"),
    [
        ("import data_of_others", "ModuleNotFoundError: No module named 'data_of_others'."),
        ("sys.exit('Too few rows.')", "Too few rows."),
        ("sys.exit(3)", "exit code 3."),
    ],
    ids=["not the team's", "a message", "nothing"],
)
def test_without_the_team_s_code_it_is_one_line(fails, code, reported):
    """The machinery's frames would hide it."""
    assert fails(code) == reported
