"""Bring what an earlier run kept under a name, or keep it; a name is given once and for all."""

import os
import shutil
from pathlib import Path

from machinery.tests.workflows.standins.standin import INPUTS, RUN, output, tell

tell(os.environ["ACTION"])
kept, folder = RUN.parent / "caches" / INPUTS["key"], Path(INPUTS["path"]).expanduser()
if os.environ["ACTION"].endswith("/save"):
    if folder.is_dir() and not kept.exists():
        shutil.copytree(folder, kept)
else:
    if kept.is_dir():
        shutil.copytree(kept, folder, dirs_exist_ok=True)
    output("cache-hit", "true" if kept.is_dir() else "")
    output("cache-primary-key", INPUTS["key"])
