"""The linters of `make check` flag what they are there for, and fail when they cannot look."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

BAD = Path("machinery/tests/workflows/bad/.github")
HOOKS = {
    hook["id"]: shlex.split(hook["entry"])
    for hook in yaml.safe_load(Path(".pre-commit-config.yaml").read_text("utf-8"))["repos"][0][
        "hooks"
    ]
}
FILES = {"schema": [".github/workflows/called.yml", ".github/workflows/entry.yml"]}


@pytest.fixture
def lint(tmp_path):
    """A function that runs a hook, as pre-commit would, on the deliberately bad workflows."""
    shutil.copytree(BAD, tmp_path / ".github")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)

    def run(hook: str) -> tuple[int, str]:
        command = HOOKS[hook] + FILES.get(hook, [])
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    run.folder = tmp_path
    return run


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ("zizmor", ["template-injection", "unpinned-uses", "dangerous-triggers", "artipacked"]),
        ("zizmor", ["excessive-permissions", "secrets-inherit", "undocumented-permissions"]),
        ("actionlint", ['input "base" is required', 'requires "packages: write"']),
        ("actionlint", ["potentially untrusted", "SC2086"]),
        ("schema", ["'need' was unexpected"]),
    ],
)
def test_a_bad_workflow_is_flagged(lint, hook, words):
    code, told = lint(hook)
    assert code != 0
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize("hook", ["zizmor", "actionlint", "schema"])
def test_what_cannot_be_read_is_no_pass(lint, hook):
    (lint.folder / ".github/workflows/called.yml").write_text("jobs: [", "utf-8")
    code, told = lint(hook)
    assert code != 0 and "called.yml" in told


@pytest.mark.parametrize("hook", ["zizmor", "actionlint", "schema"])
def test_a_folder_without_workflows_is_no_pass(lint, hook):
    """A linter that looked at nothing has not said yes."""
    shutil.rmtree(lint.folder / ".github")
    assert lint(hook)[0] != 0
