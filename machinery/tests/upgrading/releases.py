"""An upstream with two releases of this machinery, and a fork of the first one."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from machinery.tests.forks import IDENTITY, ROOT

# The machinery's own tests are many, and an upgrade's are not about them.
LEFT_OUT = ("machinery/docs/", "machinery/build/", "data/partitions/", "tests/")
TESTS = tuple(
    f"machinery/tests/{name}"
    for name in (
        *("conftest.py", "forks.py", "test_files.py", "github_api/fixture.py"),
        *("github_api/answers.py", "github_api/standin.py", "github_api/shapes.py"),
        *("github_api/shapes.json", "github_api/owned.py"),
    )
)
DROPPED = "machinery/mlops/doctor/clusters.py"
PATCHED = "machinery/mlops/console.py"
PARAMS = """\
# ours
name: fares # kept
data: {}
train: {}
model: {ridge: 0.5}
gate:
  # why
  cluster: "zone" # a zone

  bounds: {mae: 1.5}
  margins: {mae: 0.05}
  beat_constant: [mae, rmse]
"""
# Keys that the newer machinery really calls otherwise.
CALLED = (
    (
        "config/params.py",
        'None, description="column whose',
        'None, alias="groups", description="column whose',
    ),
    (
        "releases/policy.py",
        "workers: int = Field(1, ",
        'workers: int = Field(1, alias="processes", ',
    ),
    (
        "releases/policy.py",
        'float | None = Field(None, gt=0, description="null',
        'float | None = Field(None, gt=0, alias="hours", description="null',
    ),
)
MIGRATIONS = """\
MIGRATIONS: tuple[Migration, ...] = (
    Migration("1.0.0", PARAMS, "name", "never"),
    Migration("1.1.0", PARAMS, "gate.cluster", "gate.groups"),
    Migration("1.1.0", SETTINGS, "workers", "processes"),
    Migration("1.1.0", POLICY, "evidence.max_age_hours", "evidence.hours"),
)
"""


# What the make and the run of these tests were given is not for the makes started here.
UNSET = ("MAKE", "MFLAGS", "MLOPS_TESTS_COMPLETE", "PYTEST_")


class Repository:
    """A git repository in a temporary folder, and what is run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(UNSET)}
        self.environment = kept | IDENTITY | {"PYTHONPATH": str(folder / "machinery")}

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed."""
        done = self._run(["git", *arguments])
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def upgrade(self, *arguments: str, code: int = 0, test: bool = False) -> str:
        """Run the upgrade and return what it printed; it must end with a code."""
        options = () if test else ("--no-test",)
        done = self._run([sys.executable, "-m", "mlops", "upgrade", *options, *arguments])
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def killed(self, seconds: float, *arguments: str) -> bool:
        """Run the upgrade, kill it with its children after some time, and say whether it ran."""
        command = [sys.executable, "-m", "mlops", "upgrade", "--no-test", *arguments]
        options = {"cwd": self.folder, "env": self.environment, "start_new_session": True}
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
        ) as process:
            try:
                process.wait(seconds)
                return False
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return True

    def python(self, code: str, *arguments: str) -> None:
        """Run Python code in the repository; it may end as it likes."""
        self._run([sys.executable, "-c", code, *arguments])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess:
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
        )

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.folder / name).read_bytes().decode()

    def write(self, name: str, text: str) -> None:
        """Write a file, not committed."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(text.encode())

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that is there once, not committed."""
        text = self.read(name)
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        self.write(name, text.replace(old, new))

    def commit(self, message: str = "Change") -> str:
        """Commit everything and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def release(self, version: str) -> None:
        """Release the machinery as it is now."""
        done = self._run([sys.executable, "-m", "mlops", "release", "--version", version])
        assert done.returncode == 0, done.stderr
        self.commit(f"Release {version}")
        self.git("tag", f"v{version}")

    def state(self) -> tuple[str, ...]:
        """Return what an upgrade that is refused leaves as it was."""
        return (
            self.git("rev-parse", "--abbrev-ref", "HEAD"),
            self.git("rev-parse", "HEAD"),
            self.git("write-tree"),
            self.git("status", "--porcelain"),
            self.git("worktree", "list", "--porcelain"),
            self.git("for-each-ref", "refs/heads"),
        )


def copy_tree(folder: Path) -> None:
    """Copy what git knows of this repository, as it is now, without what no upgrade looks at."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        rest = name.startswith("machinery/tests/") and name not in TESTS
        if not name.startswith(LEFT_OUT) and not rest and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


@pytest.fixture(scope="session")
def upstream(tmp_path_factory):
    """The template with releases 1.0.0 and 1.1.0; a fork has its own data and model."""
    repository = Repository(tmp_path_factory.mktemp("upstream"))
    copy_tree(repository.folder)
    # The team's files of a fork, so that the schema can be written there without the example.
    shutil.copytree(ROOT / "machinery/tests/fork", repository.folder, dirs_exist_ok=True)
    repository.write("tests/test_ours.py", "def test_ours():\n    assert True\n")
    repository.git("init", "--quiet", "--initial-branch=main")
    log = "# Changelog\n\n## Unreleased\n\n- The first.\n\n**Do this:** nothing at all.\n"
    repository.write("machinery/CHANGELOG.md", log)
    repository.release("1.0.0")
    _change(repository)
    repository.release("1.1.0")
    return repository


def _change(repository: Repository) -> None:
    repository.git("rm", "--quiet", DROPPED)
    repository.write("machinery/mlops/fresh.sh", "#!/bin/sh\n")
    (repository.folder / "machinery/mlops/fresh.sh").chmod(0o755)
    repository.edit(PATCHED, "WIDTH = 11", "WIDTH = 12")
    for name, old, new in CALLED:
        repository.edit(f"machinery/mlops/{name}", old, new)
    text = repository.read("machinery/mlops/upgrading/migrations.py")
    head, _, rest = text.partition("MIGRATIONS: tuple[Migration, ...] = ()\n")
    repository.write("machinery/mlops/upgrading/migrations.py", head + MIGRATIONS + rest)
    repository.edit(".github/workflows/ci.yml", "name: Pull request", "name: Pull requests")
    dependabot = repository.read(".github/dependabot.yml")
    repository.write(".github/dependabot.yml", dependabot.replace("weekly", "daily", 1))
    repository.edit("loadtests/README.md", "Yours", "Yours too")
    log = "# Changelog\n\n## Unreleased\n\n- More.\n\n**Do this:** look at\n  the gate.\n"
    old = repository.read("machinery/CHANGELOG.md").partition("\n")[2]
    repository.write("machinery/CHANGELOG.md", log + old)


@pytest.fixture
def fork(upstream, tmp_path):
    """A fork of 1.0.0, with parameters and files of its own."""
    repository = Repository(tmp_path / "fork")
    repository.folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", "v1.0.0"], cwd=upstream.folder, capture_output=True, check=True
    )
    subprocess.run(["tar", "--extract"], cwd=repository.folder, input=archive.stdout, check=True)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.write("params.yaml", PARAMS)
    repository.write("notes/ours.txt", "ours\n")
    repository.commit("Begin")
    return repository
