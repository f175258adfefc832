"""A checkout of the settings in a temporary folder, beside the stand-in GitHub."""

import shutil
from pathlib import Path

import pytest

from machinery.tests.forks import begin_repository
from mlops import cli

ROOT = Path.cwd()
WAITING_OWNERS = """\
# A comment.
#*                          @OWNER
#/data/                     @OWNER
#/environments/production/  @OWNER
"""


@pytest.fixture
def checkout(github, tmp_path, monkeypatch):
    """A folder with .github/, environments/ and what names them; steps run in it find GitHub."""
    for name in (".github", "environments"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("params.yaml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    # As in a new fork, whatever this one's file is.
    (tmp_path / ".github/CODEOWNERS").write_text(WAITING_OWNERS, "utf-8")
    monkeypatch.chdir(tmp_path)
    begin_repository(tmp_path)
    monkeypatch.delenv("GH_TOKEN", raising=False)
    for name, value in github.environment().items():
        monkeypatch.setenv(name, value)
    github.about = {"allow_squash_merge": True, "allow_merge_commit": True}
    github.users = {"owner": {"id": 5}}
    github.files = {".github/CODEOWNERS": "* @owner\n"}
    return tmp_path


@pytest.fixture
def step(checkout, capsys):  # pylint: disable=unused-argument
    """Runs a step in the checkout; returns exit code and text."""

    def run(*arguments):
        code = cli.main(list(arguments))
        said = capsys.readouterr()
        return code, said.out + said.err

    return run
