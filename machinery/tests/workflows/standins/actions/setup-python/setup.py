"""No Python is brought: which one was asked for is noted, and must be a version."""

import re
from pathlib import Path

from machinery.tests.workflows.standins.standin import INPUTS, output, tell

tell("actions/setup-python")
version, file = INPUTS.get("python-version"), INPUTS.get("python-version-file")
assert not (version and file), "python-version and python-version-file are both given"
if file:
    lines = Path(file).read_text("utf-8").splitlines()
    (version,) = (line for line in lines if line and not line.startswith("#"))
assert re.fullmatch(r"3\.\d+", version or ""), f"python-version is {version!r}"
output("python-version", version)
