"""What GitHub reads and nothing of ours does: each file is what GitHub's schema for it allows."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast
FORMS = sorted(Path(".github/ISSUE_TEMPLATE").glob("m*.yml"))
FILES = {
    "vendor.dependabot": [Path(".github/dependabot.yml")],
    "vendor.github-issue-config": [Path(".github/ISSUE_TEMPLATE/config.yml")],
    "vendor.github-issue-forms": FORMS,
}


def checked(schema, *files):
    """Hold files to a schema and return how that ended."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", schema, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("schema", FILES)
def test_github_understands_them(schema):
    done = checked(schema, *FILES[schema])
    assert done.returncode == 0, done.stdout


def test_a_mistake_in_one_is_seen(tmp_path):
    wrong = tmp_path / "dependabot.yml"
    text = Path(".github/dependabot.yml").read_text("utf-8")
    wrong.write_text(text.replace("default-days: 7", "default-days: soon"), "utf-8")
    assert checked("vendor.dependabot", wrong).returncode == 1


def test_every_update_waits_a_week_and_comes_in_groups():
    """A version that was taken over is withdrawn within days; one pull request is one training."""
    import yaml

    updates = yaml.safe_load(Path(".github/dependabot.yml").read_text("utf-8"))["updates"]
    assert {one["package-ecosystem"] for one in updates} == {"pip", "github-actions", "docker"}
    assert {one["cooldown"]["default-days"] for one in updates} == {7}
    assert [one["groups"] for one in updates if not one["groups"]] == []


def test_there_are_two_forms_and_a_short_template():
    assert len(FORMS) == 2
    assert len(Path(".github/PULL_REQUEST_TEMPLATE.md").read_text("utf-8").splitlines()) <= 10
