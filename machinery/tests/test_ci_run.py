"""What a runner calls says no unless tests ran and passed."""

import os
import shutil
import subprocess

import pytest

PASSED = "===== 3 passed, 1 skipped in 0.10s ====="


@pytest.fixture
def ci_run(tmp_path):
    """Run .ci/run in a checkout whose tests print a closing line and exit with a status."""

    def run(closing: str, status: int = 0, check: int = 0) -> subprocess.CompletedProcess:
        (tmp_path / ".ci").mkdir()
        shutil.copy(".ci/run", tmp_path / ".ci")
        recipes = (
            f"test:\n\t@echo '{closing}'; exit {status}\ncheck:\n\t@echo checked; exit {check}\n"
        )
        (tmp_path / "Makefile").write_text(recipes, encoding="utf-8")
        # What a runner installs and a laptop may lack is not the subject.
        (tmp_path / "promtool").touch(0o755)
        path = {**os.environ, "PATH": f"{os.environ['PATH']}:{tmp_path}"}
        script = tmp_path / ".ci" / "run"
        return subprocess.run([script], env=path, capture_output=True, text=True, check=False)

    return run


def test_the_closing_line_of_pytest_comes_last(ci_run):
    answer = ci_run(PASSED)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-2:] == ["checked", PASSED]


def test_a_failed_test_fails_the_run(ci_run):
    assert ci_run("===== 1 failed, 3 passed in 0.10s =====", status=1).returncode != 0


@pytest.mark.parametrize("closing", ["===== 3 skipped in 0.10s =====", "nothing to test"])
def test_no_test_run_fails_the_run(ci_run, closing):
    answer = ci_run(closing)
    assert answer.returncode != 0
    assert "No test ran" in answer.stderr


def test_a_failed_check_fails_the_run(ci_run):
    assert ci_run(PASSED, check=1).returncode != 0
