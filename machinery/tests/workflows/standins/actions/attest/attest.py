"""What is attested must be there: a file, or a name with a digest."""

import re
from pathlib import Path

from machinery.tests.workflows.standins.standin import INPUTS, output, tell

tell("actions/attest")
if INPUTS.get("subject-path"):
    assert list(Path().glob(INPUTS["subject-path"])), f"no file {INPUTS['subject-path']}"
else:
    digest, name = INPUTS["subject-digest"], INPUTS["subject-name"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest), f"subject-digest is {digest!r}"
    assert re.fullmatch(r"[a-z0-9._/-]+", name), f"subject-name is {name!r}"
output("attestation-id", "1")
