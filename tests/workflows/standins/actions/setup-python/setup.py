"""No Python is brought: which one was asked for is noted, and must be a version."""

import re

from tests.workflows.standins.standin import INPUTS, output, tell

tell("actions/setup-python")
version = INPUTS.get("python-version", "")
assert re.fullmatch(r"3\.\d+", version), f"python-version is {version!r}"
output("python-version", version)
