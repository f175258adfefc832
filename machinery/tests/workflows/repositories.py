"""Throw-away repositories: a clone as a developer has it, and a folder that plays GitHub."""

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import psutil

from machinery.tests.forks import as_at_first
from machinery.tests.workflows import flat, runs
from machinery.tests.workflows.runs import Run
from mlops import __version__
from mlops.upgrading import manifest

ROOT = Path.cwd()
OWNER, NAME = "Octo-Org", "flights"
# What the repository under test does not need: it has a data set, a model and a test of its own.
LEFT_OUT = (
    *("data/", "model/", "tests/", "params.yaml"),
    *("machinery/tests/", "machinery/benchmarks/", "machinery/docs/images/"),
)
CHECKS = """\
repos:
  - repo: local
    hooks:
      - id: black
        name: format
        language: system
        entry: $VENV/bin/python -m black --check --quiet
        files: ^tests/
        types: [python]
"""
PYTHONS = re.compile(r'(?m)(?:^ *"Programming Language :: Python :: 3\.\d+",\n)+')
TWO = "".join(f'    "Programming Language :: Python :: {one}",\n' for one in ("3.11", "3.12"))
IDENTITY = "[user]\n  name = tester\n  email = tester@localhost\n[init]\n  defaultBranch = main\n"


class Repository:
    """A clone as a developer has it (`folder`), and what plays GitHub (`forge`, bare)."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "clone"
        self.forges = home / "forges"
        self.forge = self.forges / f"{OWNER}/{NAME}.git".lower()
        self.count = 0
        # Where the machinery finds GitHub's API; a test that needs more than silence sets another.
        self.api = ""
        # Repositories whose workflows are called, `owner/name@commit`, with what plays them.
        self.remotes: dict[str, Path] = {}

    def git(self, *words: str, folder: Path | None = None) -> str:
        """Run git in the clone and return what it printed."""
        done = subprocess.run(
            ["git", *words],
            cwd=folder or self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a fresh runner: nothing of ours but what is named here."""
        path = f"{self.home / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        return {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8", **more}

    def write(self, name: str, text: str) -> None:
        """Write a file of the clone."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file, once."""
        text = (self.folder / name).read_text("utf-8")
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        self.write(name, text.replace(old, new))

    def commit(self, message: str = "Change it") -> str:
        """Commit everything, push the branch, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "--force", "origin", "HEAD")
        return self.git("rev-parse", "HEAD")

    def push(self) -> dict:
        """Return the event of the last commit being pushed to its branch."""
        branch = self.git("branch", "--show-current")
        before = self.git("rev-list", "HEAD", "-n2").split()[1:]
        return {
            "ref": f"refs/heads/{branch}",
            "before": before[0] if before else "0" * 40,
            "after": self.git("rev-parse", "HEAD"),
            "repository": self.about(),
        }

    def pull_request(self, fork: bool = False, title: str = "Change it", number: int = 7) -> dict:
        """Commit what was changed on a branch, merge it as GitHub does, return the event."""
        if self.git("branch", "--show-current") == "main":
            self.git("checkout", "--quiet", "-b", "change")
        branch, head = self.git("branch", "--show-current"), self.commit(title)
        base = self.git("rev-parse", "origin/main")
        self.git("checkout", "--quiet", "--detach", base)
        self.git("merge", "--quiet", "--no-ff", "--message", f"Merge {head} into {base}", head)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{number}/merge")
        owner = "stranger" if fork else OWNER
        theirs = {"full_name": f"{owner}/{NAME}", "fork": fork}
        return {
            "action": "synchronize",
            "number": number,
            "pull_request": {
                "number": number,
                "title": title,
                "body": title,
                "head": {"ref": branch, "sha": head, "repo": theirs},
                "base": {"ref": "main", "sha": base, "repo": self.about()},
            },
            "repository": self.about(),
        }

    def merge_group(self, number: int = 7) -> dict:
        """Put what was changed onto main as the merge queue does, return the event.

        It names no pull request: https://docs.github.com/webhooks/webhook-events-and-payloads
        """
        base = self.git("rev-parse", "origin/main")
        self.git("checkout", "--quiet", "--detach", base)
        self.git("commit", "--quiet", "--all", "--message", f"Change it (#{number})")
        ref = f"refs/heads/gh-readonly-queue/main/pr-{number}-{base}"
        self.git("push", "--quiet", "origin", f"HEAD:{ref}")
        group = {"head_sha": self.git("rev-parse", "HEAD"), "head_ref": ref}
        return {
            "action": "checks_requested",
            "merge_group": group | {"base_sha": base, "base_ref": "refs/heads/main"},
            "repository": self.about(),
        }

    def about(self) -> dict:
        """Return how an event describes the repository."""
        return {
            "full_name": f"{OWNER}/{NAME}",
            "name": NAME,
            "owner": {"login": OWNER},
            "default_branch": "main",
            "fork": False,
        }

    def act(
        self,
        event: str,
        payload: dict,
        workflow: str,
        *,
        native: bool = False,
        **given: dict[str, str],
    ) -> Run:
        """Let an event happen to a workflow file of the clone.

        Given are `variables`, `secrets` and `environment`; `native` leaves calls of other workflows
        to act, which ends the run when one of them fails. A run that act leaves hanging is run
        again, as somebody would do by hand.
        """
        try:
            return self._act(event, payload, workflow, native, **given)
        except runs.Stalled as stalled:
            warnings.warn(f"act stalled in {workflow}, run again: {stalled}", stacklevel=2)
            sweep(self.home / f"run-{self.count}")
            return self._act(event, payload, workflow, native, **given)

    def _act(
        self, event: str, payload: dict, workflow: str, native: bool, **given: dict[str, str]
    ) -> Run:
        self.count += 1
        folder = self.home / f"run-{self.count}"
        (folder / "env").mkdir(parents=True)
        (folder / "actions.jsonl").touch()
        (folder / "event.json").write_text(json.dumps(payload), "utf-8")
        # Every shell of a step tells first what it was given.
        (folder / "tell.sh").write_text(f'env > "{folder}/env/$GITHUB_JOB.$$"\n', "utf-8")
        # Own actions come with the commit that runs: a job uses them without a checkout.
        own = play(self, f"{OWNER}/{NAME}@{self.git('rev-parse', 'HEAD')}", folder / "own")
        path = self._for_act(workflow, folder, native, *own)
        environment = self._given(folder, workflow) | given.get("environment", {})
        secrets = {"GITHUB_TOKEN": "token-of-the-run"} | given.get("secrets", {})
        command = [
            *runs.command(folder, event, path),
            *runs.pairs("--env", environment),
            *runs.pairs("--var", given.get("variables", {})),
            *runs.pairs("--secret", secrets),
            *runs.local_repositories(self.folder, self.remotes | own),
        ]
        place = folder / "tree" if native else self.folder
        done = runs.finish(command, folder, cwd=place, env=self.environment())
        return runs.read(done, folder)

    def _for_act(self, workflow: str, folder: Path, native: bool, own: str) -> Path:
        """Return a workflow as act can read it: by itself, or in a copy of the clone."""
        if not native:
            text = flat.flatten(self.folder / ".github/workflows" / workflow, self.folder)
            (folder / workflow).write_text(_fetching(text, own), "utf-8")
            return folder / workflow
        tree = Path(shutil.copytree(self.folder, folder / "tree", symlinks=True))
        for path in (tree / ".github/workflows").glob("*.yml"):
            path.write_text(_fetching(flat.known(path.read_text("utf-8")), own), "utf-8")
        return tree / ".github/workflows" / workflow

    def _given(self, folder: Path, workflow: str) -> dict[str, str]:
        return {
            "GITHUB_WORKFLOW_REF": f"{OWNER}/{NAME}/.github/workflows/{workflow}@main",
            "VENV": sys.prefix,
            "STANDINS": str(runs.STANDINS),
            "STANDIN_TREE": str(ROOT),
            "STANDIN_PYTHON": sys.executable,
            "STANDIN_RUN": str(folder),
            "STANDIN_FORGES": str(self.forges),
            "GITHUB_API_URL": self.api,
            "BASH_ENV": str(folder / "tell.sh"),
            "OMP_NUM_THREADS": "1",
            # Not the conformance of the miniature's model, again in every run.
            "MAKEFLAGS": "ON_ALL_CORES=--ignore-glob=*/conformance/test_[ms]*.py",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def play(upstream: Repository, name: str, home: Path) -> dict[str, Path]:
    """Return a folder that plays a repository at a commit, `owner/name@commit`, for act."""
    left_out = shutil.ignore_patterns(".git", ".venv", "build")
    folder = Path(shutil.copytree(upstream.folder, home, symlinks=True, ignore=left_out))
    repository, _, commit = name.partition("@")
    for path in (folder / ".github").rglob("*.yml"):
        # Own workflows and actions are at the same commit, wherever a caller is.
        own = re.sub(r"(uses: )\$/(\S+)", rf"\1{repository}/\2@{commit}", path.read_text("utf-8"))
        path.write_text(flat.known(own), "utf-8")
    return {name: folder}


def _fetching(text: str, own: str) -> str:
    """Let a workflow use the actions of its own repository, `owner/name@commit`, by its name."""
    repository, _, commit = own.partition("@")
    return re.sub(r"(uses: )\./(\.github/actions/\S+)", rf"\1{repository}/\2@{commit}", text)


def sweep(folder: Path) -> None:
    """Stop what the jobs of a run left running, as a runner does that is gone with its job."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("STANDIN_RUN") == str(folder):
                process.kill()
        except psutil.Error:
            continue


def _copy_tree(folder: Path) -> None:
    """Copy what git tracks, or would, but for what is left out."""
    listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(["git", *listed], capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        source = ROOT / name
        if name and not name.startswith(LEFT_OUT) and source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    as_at_first(folder / "environments")
    shutil.copytree(ROOT / "machinery/tests/fork", folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "tests", ignore_errors=True)


def begin(home: Path) -> Repository:
    """Make the repository, with one commit on main, below a folder."""
    made = Repository(home)
    (home / "bin").mkdir(parents=True)
    # The Python of a bare runner: -S leaves out whatever was installed into it.
    bare = f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n'
    for name in ("python3", "python"):
        (home / "bin" / name).write_text(bare, "utf-8")
        (home / "bin" / name).chmod(0o755)
    (home / ".gitconfig").write_text(IDENTITY, "utf-8")
    made.folder.mkdir()
    _copy_tree(made.folder)
    made.write(".pre-commit-config.yaml", CHECKS.replace("$VENV", sys.prefix))
    # Two are a matrix as well as three, and a fork may test on others.
    project = (made.folder / "pyproject.toml").read_text("utf-8")
    made.write("pyproject.toml", PYTHONS.sub(TWO, project))
    made.write(".github/python-version", "3.11\n")
    for name in ("tests/test_it.py", "machinery/tests/test_machinery.py"):
        made.write(name, '"""A test."""\n\n\ndef test_it():\n    assert True\n')
    # Somebody took it over, so it makes releases.
    made.write(".github/CODEOWNERS", "* @octo-org/ml\n")
    made.write(".gitignore", "build/\n.venv\n__pycache__/\n")
    schema = [sys.executable, "-m", "mlops", "schema"]
    here = os.environ | {"PYTHONPATH": str(made.folder / "machinery")}
    subprocess.run(schema, cwd=made.folder, env=here, check=True, stdout=subprocess.DEVNULL)
    # As a fork has it, which runs none of the machinery's own tests.
    made.write(str(manifest.MANIFEST), manifest.text(__version__, made.folder))
    made.forge.parent.mkdir(parents=True)
    made.git("init", "--quiet", "--bare", str(made.forge), folder=home)
    # GitHub hands out any commit, and leaves files out where that is asked for.
    for name in ("allowAnySHA1InWant", "allowFilter"):
        made.git("config", f"uploadpack.{name}", "true", folder=made.forge)
    made.git("init", "--quiet")
    made.git("remote", "add", "origin", str(made.forge))
    # Nobody reaches it: act learns the repository's name from it.
    made.git("remote", "add", "github", f"https://github.com/{OWNER}/{NAME}")
    made.commit("Begin")
    return made


def copy(seed: Repository, home: Path) -> Repository:
    """Return a copy of a repository below another folder."""
    shutil.copytree(seed.home, home, symlinks=True)
    made = Repository(home)
    made.api = seed.api
    made.git("remote", "set-url", "origin", str(made.forge))
    return made
