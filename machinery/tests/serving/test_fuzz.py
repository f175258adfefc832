"""Hundreds of valid and invalid requests, generated from the service's own description."""

import subprocess
import sys
from pathlib import Path


def test_the_service_does_what_it_describes(client, tmp_path):
    """No 5xx, no undocumented answer, no valid row refused, no invalid one scored."""
    schemathesis = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [schemathesis, "run", f"{client.base_url}/docs.json", "--checks", "all"]
        + ["--max-examples", "100", "--seed", "1", "--max-failures", "3", "--no-color"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "No issues found" in done.stdout
