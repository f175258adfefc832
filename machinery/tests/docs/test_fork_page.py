"""docs/fork.md: what it tells a fork to take from a newer template is the machinery, whole."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

# Everything else at the top is machinery.
YOURS = "README.md data environments loadtests model params.yaml params.schema.json pyproject.toml"
YOURS = {*YOURS.split(), ".gitignore", "requirements.txt", "requirements-serve.txt"}
# What a fork has of its own in folders of the machinery.
KEPT = (
    *("tests/data/x.py", "tests/model/x.py"),
    *(".github/CODEOWNERS", ".github/settings/x.yaml", ".github/python-version"),
)


def command():
    """The command of the page, as words."""
    page = Path("machinery/docs/fork.md").read_text("utf-8")
    return shlex.split(re.search(r"(?m)^git restore(?:.*\\\n)*.*$", page)[0].replace("\\\n", ""))


@pytest.fixture
def git(tmp_path):
    """Git in an empty repository."""
    name = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")

    def run(*words):
        done = ["git", *name, *words]
        return subprocess.run(done, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    run("init", "--quiet", "--initial-branch=fork")
    return run


def tree(folder, text, files):
    """Write files with this text."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, "utf-8")


def taken():
    """What the command takes from the template."""
    words = command()
    return {word for word in words[words.index("--") + 1 :] if word[0] != ":"}


@pytest.mark.example
def test_every_part_at_the_top_is_yours_or_taken():
    """A new folder of the machinery is not forgotten."""
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], check=True, capture_output=True, text=True
    )
    assert set(listed.stdout.split()) - YOURS == taken()


def test_the_machinery_becomes_the_templates_and_what_is_yours_stays(git, tmp_path):
    """A machinery's file that the template dropped goes, and a fork's own beside it stays."""
    machinery = [f"{name}/x" if not Path(name).is_file() else name for name in sorted(taken())]
    tree(tmp_path, "fork", [*machinery, *KEPT, "data/x.py", "machinery/mlops/dropped.py"])
    git("add", "--all")
    git("commit", "--quiet", "--message", "fork")
    git("switch", "--quiet", "--orphan", "template")
    tree(tmp_path, "template", [*machinery, *KEPT, "data/x.py"])
    git("add", "--all")
    git("commit", "--quiet", "--message", "template")
    git("switch", "--quiet", "fork")
    git("fetch", "--quiet", ".", "template")
    git(*command()[1:])
    read = {file: (tmp_path / file).read_text("utf-8") for file in (*machinery, *KEPT, "data/x.py")}
    assert {file for file, text in read.items() if text == "template"} == set(machinery)
    assert not (tmp_path / "machinery/mlops/dropped.py").exists()
