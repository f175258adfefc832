"""The README's commands really run, in a clone, in the order they stand there."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path.cwd()
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "tester"), ("EMAIL", "tester@localhost"))
}
pytestmark = [pytest.mark.slow, pytest.mark.example]


def commands():
    """The commands of the block `Every step by itself`, without their remarks."""
    block = re.search(r"## Every step by itself\n\n```bash\n(.*?)```", _readme(), re.DOTALL)[1]
    return [re.split(r"\s{2,}#", line)[0] for line in block.splitlines()]


def _readme():
    return Path("README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of HEAD that finds what is installed here; what it runs is stopped after."""
    folder = tmp_path_factory.mktemp("clone") / "repository"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    # Older than the installation: make has nothing to install.
    os.utime(folder / "requirements.txt", (0, 0))
    # How fast the machine is that tests this is not the subject.
    params = folder / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("p95_ms: 200", "p95_ms: 5000"), "utf-8")
    run("git commit --quiet --all --message 'Any machine will do'", folder)
    yield folder
    run("make down", folder)


def run(command, folder):
    """Run a command as a person would type it."""
    # What this run of the tests was asked by make is not for the commands it runs.
    asked = ("MAKE", "ARGS", "ENV", "TO", "REASON")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(asked)}
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment | IDENTITY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_every_command_of_the_readme_runs(clone):
    """All of them end well, one after the other; nothing there is made up."""
    for command in commands():
        done = run(command, clone)
        # Without a second release there is nothing to go back to, and it says so.
        expected = 2 if "rollback" in command else 0
        assert done.returncode == expected, f"{command}\n{done.stdout}"
    assert "nothing" in run("make status", clone).stdout


def test_the_demonstration_runs_and_leaves_no_trace(clone):
    """`make demo` shows what the README promises, and the checkout stays as it was."""
    done = run("make demo", clone)
    assert done.returncode == 0, done.stdout
    assert "fail         M107" in done.stdout
    assert re.search(r"rolled back in \d+\.\d s", done.stdout)
    assert "two releases went to production" in done.stdout
    assert run("git status --porcelain", clone).stdout == ""
    assert (clone / "build/demo/refused.html").exists()


def test_the_figures_of_the_readme_are_those_of_the_example(clone):
    """The AUC the README states is the one the demonstration measured."""
    report = (clone / "build/demo/accepted.md").read_text("utf-8")
    december = float(re.search(r"\| AUC \| higher \| (0\.\d{4})", report)[1])
    record = json.loads((clone / "build/record.json").read_text("utf-8"))
    november = f"{record['evaluation']['metrics']['auc']['candidate']['value']:.3f}"
    assert f"AUC {november} in November, {december:.3f} in December" in _readme()
