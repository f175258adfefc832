"""What is shown on the Security page: a file of findings, which is kept for the test to read."""

import json
from pathlib import Path

from machinery.tests.workflows.standins.standin import INPUTS, RUN, tell

tell("github/codeql-action")
shown = Path(INPUTS["sarif_file"])
assert json.loads(shown.read_text("utf-8"))["version"] == "2.1.0", f"{shown} holds no SARIF"
(RUN / shown.name).write_bytes(shown.read_bytes())
