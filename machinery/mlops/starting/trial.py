"""Train and evaluate once in a scratch folder: the gate's numbers are taken from the result."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlops import PACKAGE, git
from mlops.errors import UserError
from mlops.files import read_json
from mlops.paths import ENVIRONMENTS, PARAMS, PARAMS_SCHEMA, RECORD
from mlops.releases.release import none_yet
from mlops.starting.placing import HOME
from mlops.starting.writing import Files

TRIAL = HOME / "trial"
COMMITTER = (
    *("-c", "user.name=make start", "-c", "user.email=start@localhost"),
    *("-c", "commit.gpgsign=false"),
)
STEPS = ("schema", "check-data", "train", "evaluate")


def run(files: Files, params: str) -> tuple[dict, bytes]:
    """Return the record of a first training with these files, and their params.schema.json."""
    shutil.rmtree(TRIAL, ignore_errors=True)
    for name, content in {**files, PARAMS.name: params.encode()}.items():
        (TRIAL / name).parent.mkdir(parents=True, exist_ok=True)
        (TRIAL / name).write_bytes(content)
    shutil.copytree(ENVIRONMENTS, TRIAL / ENVIRONMENTS)
    for path in (TRIAL / ENVIRONMENTS).glob("*/release.yaml"):
        path.write_text(none_yet(), encoding="utf-8")
    # A repository of its own: the commits of this one hold other releases.
    git.git("-C", str(TRIAL), "init", "--quiet")
    git.git("-C", str(TRIAL), *COMMITTER, "commit", "--quiet", "--allow-empty", "--message", "Try")
    done = steps(*STEPS, folder=TRIAL, capture_output=True)
    if done.returncode:
        printed = (done.stderr or done.stdout).strip()
        raise UserError(f"The first training failed, and nothing was changed.\n{printed}")
    result = read_json(TRIAL / RECORD, made_by="train"), (TRIAL / PARAMS_SCHEMA).read_bytes()
    shutil.rmtree(TRIAL)
    return result


def steps(*names: str, folder: Path = Path(), **options) -> subprocess.CompletedProcess:
    """Run steps in a folder, with the team's code that is there."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "mlops", *names]
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, cwd=folder, env=environment, text=True, check=False, **options)
