"""The rows that the locustfile sends are those of the data, whatever their number and types."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = """
import pandas as pd

TARGET, TIME = "late", "at"

def partitions():
    return ["one"]

def load(name):
    at = pd.date_range("2026-01-01", periods=ROWS, freq="h")
    frame = pd.DataFrame({"at": at, "late": 1, "tiny": 1.5e-13, "empty": None, "count": range(ROWS)})
    frame["day"], frame["since"] = at.normalize(), at.tz_localize("Europe/Berlin")
    return frame.astype({"count": "int8"}), "sha256:0"
"""
PRINT = "import json, locustfile as l; print(json.dumps([l.BATCH, l.ROWS]))"


@pytest.mark.parametrize(
    ("rows", "most", "batch"),
    [(15, "", 15), (60, "", 20), (60, "7", 7), (60, "1000", 20)],
    ids=["few rows", "many rows", "a service that takes few", "one that takes many"],
)
def test_rows_are_sent_as_they_are(tmp_path, rows, most, batch):
    """In batches that the data and the service allow; a tiny number is not rounded to 0."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/__init__.py").write_text(DATA.replace("ROWS", str(rows)))
    path = os.pathsep.join([str(tmp_path), str(Path("loadtests").resolve())])
    environ = os.environ | {"PYTHONPATH": path, "LOADTEST_MAX_ROWS": most}
    command = [sys.executable, "-c", PRINT]
    printed = subprocess.check_output(command, env=environ, text=True, cwd=tmp_path)
    size, sent = json.loads(printed)
    assert (size, len(sent)) == (batch, rows)
    first = next(row for row in sent if row["count"] == 0)
    assert first == {
        "tiny": 1.5e-13,
        "empty": None,
        "count": 0,
        "day": "2026-01-01",
        "since": "2026-01-01T00:00:00+01:00",
    }
