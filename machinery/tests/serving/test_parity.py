"""Packaging compares the packed model's answers over HTTP with the model in process."""

import re

import pandas as pd
import psutil
import pytest

from machinery.tests.waiting import wait_for
from mlops.gate import parity
from mlops.rules import Verdict
from mlops.serving import client


def test_the_packed_model_answers_alike(packaged_once):
    """The step prints the result; a second run prints the same."""
    done = packaged_once.run("package")
    assert "30 held-out rows have the same scores as in process." in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "weight = np.nan_to_num(",
            "weight = 7.0 * isinstance(columns, dict) + np.nan_to_num(",
            "30 of 30 held-out rows have other scores",
        ),
        (
            'return 1 / (1 + np.exp(-model["slope"]',
            'return np.arange(len(size)) / (1 + np.exp(-model["slope"]',
            "29 of 30 held-out rows have other scores when sent alone, such as 0 over",
        ),
        ("return 1 / (1 + np", "return 0.5 / (1 + np", None),
        (
            'if "QQX" in columns["town"]:',
            "if isinstance(columns, dict) and len(size) > 1:",
            "500 .*could not score these rows.*; it printed: KeyError: 'a mistake in the model'"
            r'\.\n  File "model/__init__.py", line \d+, in predict\n    raise KeyError\(',
        ),
    ],
    ids=["lists otherwise", "by its place among others", "other but alike", "an error on lists"],
)
def test_a_model_that_answers_otherwise_is_refused(checkout, old, new, message):
    """The difference is shown with the row; nothing is stored or released."""
    source = (checkout.path / "model/__init__.py").read_text()
    assert old in source
    checkout.write("model/__init__.py", source.replace(old, new))
    checkout.train()
    done = checkout.run("package")
    assert done.returncode == (1 if message else 0), done.stderr
    if message:
        assert "refused: B101 " in done.stderr
        assert re.search(message, done.stderr)
        assert not (checkout.path / "build/store").exists()


HANGING_SERVICE = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stderr.write("x" * 200_000 + "\\nI do not hear you\\n")
with open("pid", "w") as pid: pid.write(str(os.getpid()))
time.sleep(600)
"""


def test_a_service_that_answers_nothing_and_will_not_end_is_killed(tmp_path, monkeypatch):
    """It prints more than a pipe holds and ignores SIGTERM."""
    (tmp_path / "mlops/serving").mkdir(parents=True)
    for package in ("mlops", "mlops/serving"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "mlops/serving/alone.py").write_text(HANGING_SERVICE)
    pid, predict = tmp_path / "pid", client.predict

    def predict_once_it_hangs(*arguments):
        wait_for(lambda: pid.exists() and pid.read_text("utf-8"))
        return predict(*arguments)

    monkeypatch.setattr(client, "predict", predict_once_it_hangs)
    monkeypatch.setattr(parity, "GRACE_SECONDS", 0.1)
    finding = parity.compare(tmp_path, pd.DataFrame({"size": [1]}), [0.5], seconds=1)
    assert finding.verdict is Verdict.FAIL
    assert finding.message.endswith("timed out; it printed: I do not hear you.")
    assert not psutil.pid_exists(int(pid.read_text("utf-8")))
