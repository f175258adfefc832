"""A run of act that hangs is told from a step that hangs."""

import sys
import time
from types import SimpleNamespace

import pytest

from machinery.tests.waiting import HANG_SECONDS
from machinery.tests.workflows import runs

WAIT = "import time; print('begun', flush=True); time.sleep(600)"
WAIT_FOR_A_STEP = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])"


def _finish(tmp_path, program: str):
    return runs.finish([sys.executable, "-c", program], tmp_path, silence=HANG_SECONDS)


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """Time passes in leaps as soon as the program has said that it begun: it is silent for long."""
    told, now = tmp_path / "told.jsonl", [0.0]

    def monotonic():
        now[0] += HANG_SECONDS * ("begun" in told.read_text("utf-8"))
        return now[0]

    monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=monotonic, sleep=time.sleep))


def test_what_ends_is_read(tmp_path):
    """Its code and both of its streams."""
    done = _finish(
        tmp_path, "import sys; print('told'); print('said', file=sys.stderr); sys.exit(3)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "told\n", "said\n")


@pytest.mark.usefixtures("silent")
def test_a_step_that_hangs_fails_the_test(tmp_path):
    """With the process it hangs in and the last that was told."""
    with pytest.raises(AssertionError, match=r"(?s)A step hangs.*time\.sleep\(600\).*begun"):
        _finish(tmp_path, WAIT_FOR_A_STEP)


@pytest.mark.usefixtures("silent")
def test_act_that_waits_for_nothing_has_stalled(tmp_path):
    """No process is left that could end."""
    with pytest.raises(runs.Stalled, match="begun"):
        _finish(tmp_path, WAIT)


def test_a_stalled_run_is_run_again(repository, monkeypatch):
    """Once, and a reader of the tests' output learns it."""
    asked = []

    def finish(command, folder, **_):
        asked.append(folder)
        if len(asked) == 1:
            raise runs.Stalled("of itself")
        return runs.subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(runs, "finish", finish)
    with pytest.warns(UserWarning, match="act stalled in ci.yml, run again: of itself"):
        assert repository.act("push", {}, "ci.yml").code == 0
    assert len(set(asked)) == 2
