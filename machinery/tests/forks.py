"""A fork in miniature: the machinery as it is, with another team's data and model."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlops.paths import VERDICT
from mlops.releases.release import none_yet

ROOT = Path.cwd()
MACHINERY = (
    *("machinery/mlops", "machinery/benchmarks", "environments", "loadtests"),
    *("requirements.txt", "requirements-serve.txt", "Dockerfile"),
)
LISTS = ("quarantine.yaml", "waivers.yaml", "advisories.yaml")
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "tester"), ("EMAIL", "tester@localhost"))
}


def give_free_ports(folder: Path) -> None:
    """Give every environment of a repository a port that nobody uses."""
    for settings in folder.glob("environments/*/settings.yaml"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        text = re.sub(r"(?m)^port:.*$", f"port: {port}", settings.read_text("utf-8"))
        settings.write_text(text, "utf-8")


class Fork:
    """A git repository in a temporary folder, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | IDENTITY | {"OMP_NUM_THREADS": "1"}
        self.environment["PYTHONPATH"] = str(folder / "machinery")

    def mlops(self, *words: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Run steps as anybody would; unless told otherwise they must end well."""
        done = subprocess.run(
            [sys.executable, "-m", "mlops", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def killed_after(self, seconds: float, *words: str) -> None:
        """Run steps and kill them, with all their children, when the time is up."""
        command = [sys.executable, "-m", "mlops", *words]
        options = {"cwd": self.folder, "env": self.environment, "start_new_session": True}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, **options) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def python(self, code: str) -> None:
        """Run Python code in the repository."""
        command = [sys.executable, "-c", code]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True)

    def git(self, *words: str) -> str:
        """Run git and return what it printed."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file, once, and commit."""
        path = self.folder / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new), "utf-8")
        self.git("commit", "--quiet", "--all", "--message", f"Change {name}")

    def port(self, environment: str) -> int:
        """Return the public port of an environment."""
        settings = self.folder / "environments" / environment / "settings.yaml"
        return int(re.search(r"(?m)^port: (\d+)", settings.read_text("utf-8"))[1])

    def begin(self) -> None:
        """Give every environment a free port and make the first commit."""
        give_free_ports(self.folder)
        (self.folder / ".gitignore").write_text("build/\n__pycache__/\n", "utf-8")
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Begin")


def begin_repository(folder: Path) -> None:
    """Make a folder a repository with an empty commit."""
    for words in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "-m", "Begin"]):
        subprocess.run(["git", *words], check=True, cwd=folder, env=os.environ | IDENTITY)


def deployed_with(fork: Fork, columns: str, rows: str, model: str) -> Fork:
    """Give the little regression more columns and a model that uses them, and deploy it to dev."""
    fork.edit("data/__init__.py", '        "fare": pa.', columns)
    fork.edit("data/__init__.py", "    return rows, f", rows)
    fork.edit("model/__init__.py", "    outer", model)
    steps = "check-data train evaluate report gate package promote deploy"
    fork.mlops(*steps.split(), "--env", "dev")
    return fork


def require_comparable(fork: Fork) -> None:
    """Fail unless production's model scores the rows, and the conformance suite passes."""
    fork.mlops(*"promote deploy loadtest".split(), "--env", "staging")
    fork.mlops(*"promote deploy".split(), "--env", "production")
    fork.mlops(*"check-data train evaluate gate".split())
    findings = json.loads((fork.folder / VERDICT).read_text("utf-8"))["findings"]
    assert [one["verdict"] for one in findings if one["rule"] == "M106"] == ["pass"]
    fork.python(
        "import sys, pytest; sys.exit(pytest.main(["
        "'-q', '-p', 'no:cacheprovider', 'machinery/mlops/conformance/test_model.py']))"
    )


def copy(names, folder: Path) -> None:
    """Copy files and folders of this repository, by their names."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore, dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / name)
    as_at_first(folder / "environments")


def as_at_first(environments: Path) -> None:
    """Take out what a repository that is in use has promoted, quarantined, waived or accepted."""
    for path in environments.glob("*/release.yaml"):
        path.write_text(none_yet(), "utf-8")
    for name in LISTS:
        lines = (environments / name).read_text("utf-8").splitlines(keepends=True)
        comments = "".join(line for line in lines if line.startswith("#"))
        (environments / name).write_text(comments, "utf-8")


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """The machinery with the little regression of machinery/tests/fork/; stopped after."""
    repository = Fork(tmp_path_factory.mktemp("fork"))
    copy(MACHINERY, repository.folder)
    shutil.copytree(ROOT / "machinery/tests/fork", repository.folder, dirs_exist_ok=True)
    repository.begin()
    yield repository
    repository.mlops("down")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example on fewer months and with fewer trees; what runs there is stopped after."""
    repository = Fork(tmp_path_factory.mktemp("example"))
    copy([*MACHINERY, "data", "model", "params.yaml"], repository.folder)
    repository.begin()
    # From April to July a month is like the one before: with two or three to learn from, every
    # rule decides as clearly as with all of them.
    repository.edit("params.yaml", "  first: null", "  first: 2013-04")
    repository.edit("params.yaml", "last: 2013-11", "last: 2013-06")
    # A third of the trees, each with three times the weight, take a third of the time.
    repository.edit("params.yaml", "n_estimators: 150", "n_estimators: 50")
    repository.edit("params.yaml", "learning_rate: 0.05", "learning_rate: 0.15")
    # The fork trains twice each time; here it would take a minute of every run of the tests.
    repository.edit("params.yaml", "repeat: true", "repeat: false")
    yield repository
    repository.mlops("down")
