"""What a step tells Actions arrives whole, and cannot say more than it means."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest

from mlops.ci import actions
from mlops.errors import Refused, UserError


def test_no_test_takes_the_job_that_runs_it_for_its_own(tmp_path):
    # In a folder of its own: pytest would remove what many runs before it left in the usual one.
    options = ["-q", __file__, "-k", "outside_actions", f"--basetemp={tmp_path / 'inner'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        env=os.environ | {"GITHUB_STEP_SUMMARY": "/nowhere/page", "GITHUB_ACTIONS": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_outside_actions_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    actions.output("name", "value")
    actions.summary("text")
    assert (actions.payload(), list(tmp_path.iterdir())) == ({}, [])


def test_a_value_of_several_lines_sets_one_output(monkeypatch, tmp_path):
    """No line of it can end the value and begin another."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    actions.output("title", "one\nEOF\nrun-train=false")
    first, *middle, last = (tmp_path / "outputs").read_text("utf-8").splitlines()
    assert first == f"title<<{last}" and middle == ["one", "EOF", "run-train=false"]


def test_a_page_grows(monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page"))
    actions.summary("one")
    actions.verdict("Gate", "fail", "M103 <b>mae</b> @all")
    text = (tmp_path / "page").read_text("utf-8")
    assert text.startswith("one\n\n### Gate: fail\n\nM103 &lt;b>mae&lt;/b>")
    assert "@all" not in text


def test_a_page_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path))
    with pytest.raises(UserError, match="GITHUB_OUTPUT names"):
        actions.output("name", "value")


@pytest.mark.parametrize(
    ("event", "ref", "refused"),
    [
        ("workflow_dispatch", "refs/heads/main", False),
        ("workflow_dispatch", "refs/heads/mine", True),
        ("workflow_dispatch", "refs/tags/main", True),
        ("schedule", "refs/heads/main", False),
        ("pull_request", "refs/pull/7/merge", False),
        ("push", "refs/heads/staging", False),
    ],
)
def test_a_run_by_hand_is_started_on_the_default_branch(monkeypatch, tmp_path, event, ref, refused):
    file = tmp_path / "event.json"
    file.write_text('{"repository": {"default_branch": "main"}}', "utf-8")
    given = {"GITHUB_EVENT_NAME": event, "GITHUB_REF": ref, "GITHUB_EVENT_PATH": str(file)}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match="Use workflow from: main") if refused else nullcontext():
        actions.require_default_branch()
