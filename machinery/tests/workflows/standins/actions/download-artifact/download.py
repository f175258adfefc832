"""Bring an artifact of this run, or of the run named, to where it is asked for."""

import os
import shutil
from pathlib import Path

from machinery.tests.workflows.standins.standin import INPUTS, RUN, on, output, tell

tell("actions/download-artifact")
folder = Path(os.environ["GITHUB_WORKSPACE"]) / (INPUTS.get("path") or ".")
run = RUN / "artifacts/1"
if name := INPUTS.get("name"):
    if not (run / name).is_dir():
        raise SystemExit(f"Unable to download artifact(s): Artifact not found for name: {name}")
    shutil.copytree(run / name, folder, dirs_exist_ok=True)
else:
    for kept in sorted(run.glob(INPUTS.get("pattern") or "*")):
        into = folder if on("merge-multiple") else folder / kept.name
        shutil.copytree(kept, into, dirs_exist_ok=True)
output("download-path", str(folder))
