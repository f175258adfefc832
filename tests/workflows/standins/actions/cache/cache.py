"""Restore what an earlier run left under a key; nothing is saved."""

import shutil
from pathlib import Path

from tests.workflows.standins.standin import INPUTS, RUN, output, tell

tell("actions/cache")
kept = RUN.parent / "caches" / INPUTS["key"]
if kept.is_dir():
    shutil.copytree(kept, Path(INPUTS["path"]).expanduser(), dirs_exist_ok=True)
output("cache-hit", "true" if kept.is_dir() else "")
