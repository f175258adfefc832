"""What `make check` holds the code to refuses what it is there to refuse."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from machinery.tests import test_architecture as shape

HOOKS = yaml.safe_load(Path(".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
ENTRIES = {hook["id"]: hook["entry"].split() for hook in HOOKS}
GOOD = '"""Nothing wrong."""\n\nSIDES = 4\n'


@pytest.mark.parametrize(
    ("hook", "bad", "told"),
    [
        ("black", "SIDES=4\n", []),
        (
            "pylint",
            "import os\n\nprint(SIDE)\n",
            ["missing-module-docstring", "unused-import", "undefined-variable"],
        ),
    ],
    ids=["format", "lint"],
)
def test_a_hook_refuses_and_lets_pass(tmp_path, hook, bad, told):
    """As a commit runs it, by this Python."""
    for text, refused in ((bad, True), (GOOD, False)):
        file = tmp_path / "module.py"
        file.write_text(text, "utf-8")
        command = [sys.executable, *ENTRIES[hook][1:], str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == refused, done.stdout + done.stderr
        assert all((word in done.stdout) == refused for word in told)


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("data/load.py", "from mlops import git", shape.test_yours_never_imports_machinery),
        ("machinery/mlops/git.py", "import data.load", shape.test_only_the_contract_imports_yours),
        (
            "machinery/mlops/git.py",
            "from . import files",
            shape.test_only_the_contract_imports_yours,
        ),
        (
            "machinery/mlops/steps/gate.py",
            "from mlops.steps import train",
            shape.test_steps_never_import_steps,
        ),
        (
            "machinery/mlops/git.py",
            "import mlops.steps.train",
            shape.test_nothing_imports_a_step_but_the_command_line,
        ),
        (
            "machinery/mlops/steps/gate.py",
            "import pandas as pd",
            shape.test_a_step_imports_no_heavy_library_at_the_top,
        ),
    ],
)
def test_a_module_that_breaks_the_house_is_named(tmp_path, monkeypatch, file, line, rule):
    """Each direction of imports; the same line in no file is fine."""
    monkeypatch.chdir(tmp_path)
    path = Path(file)
    path.parent.mkdir(parents=True)
    path.write_text('"""Innocent."""\n\nimport json\n', "utf-8")
    rule(path)
    path.write_text(f'"""Not so."""\n\n{line}\n', "utf-8")
    with pytest.raises(AssertionError):
        rule(path)


def test_a_circle_of_imports_is_seen(tmp_path, monkeypatch):
    """Also through functions, where Python would not stumble."""
    monkeypatch.chdir(tmp_path)
    Path("machinery/mlops").mkdir(parents=True)
    Path("machinery/mlops/one.py").write_text("from mlops import two\n", "utf-8")
    Path("machinery/mlops/two.py").write_text("import json\n", "utf-8")
    shape.test_there_is_no_import_cycle()
    Path("machinery/mlops/two.py").write_text("def late():\n    from mlops.one import x\n", "utf-8")
    with pytest.raises(AssertionError):
        shape.test_there_is_no_import_cycle()
