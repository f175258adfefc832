"""What the bundle's lock lacks is hidden as if it were not installed, as in the image."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import importlib, importlib.metadata, importlib.util, json, sys
from pathlib import Path
from mlops.serving import scorer

getattr(scorer, sys.argv[1])(Path("src"))
found = {}
for module, package in (("pandas", "pandas"), ("sklearn", "scikit-learn"), ("numpy", "numpy")):
    known = sys.modules.get(module, "nothing") != "nothing"
    spec = importlib.util.find_spec(module) is not None
    try:
        version = bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        version = False
    try:
        imported = bool(importlib.import_module(module))
    except ModuleNotFoundError as error:
        imported = error.name
    found[module] = [known, spec, version, imported]
print(json.dumps(found))
"""


@pytest.fixture
def bundle(tmp_path):
    """A folder as a bundle has it, with a lock of NumPy alone."""
    (tmp_path / "src/model").mkdir(parents=True)
    lock = tmp_path / "env/python/requirements.txt"
    lock.parent.mkdir(parents=True)
    lock.write_text("numpy==2.3.0 \\\n    --hash=sha256:0\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize("hide", ["hide_what_is_not_locked", "hide_all_that_is_not_locked"])
def test_what_the_lock_lacks_is_as_if_not_installed(bundle, hide):
    """Libraries look into `sys.modules`, ask for a spec or a version, or import: four ways."""
    command = [sys.executable, "-c", CODE, hide]
    found = json.loads(
        subprocess.check_output(
            command, cwd=bundle, env=os.environ | {"PYTHONPATH": os.getcwd()}, text=True
        )
    )
    assert found == {
        "pandas": [False, False, False, "pandas"],
        "sklearn": [False, False, False, "sklearn"],
        "numpy": [False, True, True, True],
    }
