"""The road of a release on GitHub, executed: a repository, the stand-in for GitHub, and merges."""

import os
import re
import socket
import subprocess
import sys

from machinery.tests.github_api.fixture import judge, serving
from machinery.tests.github_api.standin import Standin
from machinery.tests.workflows.repositories import NAME, OWNER, Repository, sweep
from machinery.tests.workflows.runs import Run


class Road:
    """A repository whose workflows run with a store, ports of its own and GitHub's API."""

    def __init__(self, repository: Repository, begun: bool = False) -> None:
        self.repository = repository
        self.folder = repository.folder
        self.github = Standin(repository=f"{OWNER}/{NAME}", git=repository.forge)
        self.github.workflows = {"staging.yml": {}, "release.yml": {}, "deploy.yml": {}}
        self._server = serving(self.github)
        self._server.__enter__()  # pylint: disable=unnecessary-dunder-call # until the road ends
        repository.api = self.github.url
        # No container: the environments here run bundles.
        self.variables = {"MLOPS_STORE": str(repository.home / "store"), "IMAGE": "no"}
        if begun:
            self.ended("deploy.yml", self.git("rev-parse", "HEAD"), "success")
        else:
            self._begin()

    def _begin(self) -> None:
        """Commit ports that are free, and which quarters are in use."""
        for settings in self.folder.glob("environments/*/settings.yaml"):
            text = re.sub(r"(?m)^port:.*$", f"port: {_free()}", settings.read_text("utf-8"))
            settings.write_text(text, "utf-8")
        self.repository.edit("params.yaml", "data: {}", "data: {last: q3}")
        self.repository.commit("What this team runs")

    def act(self, event: str, workflow: str, payload: dict | None = None, **options) -> Run:
        """Let an event happen; by default the push of main's last commit."""
        variables = self.variables | options.pop("variables", {})
        payload = self.repository.push() if payload is None else payload
        run = self.repository.act(event, payload, workflow, variables=variables, **options)
        sweep(run.folder)
        if workflow in ("release.yml", "deploy.yml"):
            commit = payload.get("after") or self.git("rev-parse", "main")
            self.ended(workflow, commit, "failure" if run.code else "success", event)
        return run

    def ended(self, workflow: str, commit: str, conclusion: str, event: str = "push") -> None:
        """Let GitHub know of a run on main, the newest first."""
        facts = {"id": 1 + len(self.github.runs), "event": event, "head_branch": "main"}
        about = facts | {"workflow": workflow, "head_sha": commit, "conclusion": conclusion}
        self.github.runs.insert(0, about)

    def dispatch(self, workflow: str, **inputs: str) -> Run:
        """Let somebody run a workflow by hand, on main."""
        about = {"ref": "refs/heads/main", "repository": self.repository.about()}
        return self.act("workflow_dispatch", workflow, about | {"inputs": inputs})

    def clock(self, workflow: str, **options) -> Run:
        """Let the schedule start a workflow on main."""
        about = {"ref": "refs/heads/main", "repository": self.repository.about()}
        return self.act("schedule", workflow, about | {"schedule": "0 * * * *"}, **options)

    def staged(self, **options) -> Run:
        """Let branch staging be pushed as it is at GitHub."""
        self.git("fetch", "--quiet", "origin", "staging")
        self.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
        after = self.git("rev-parse", "HEAD")
        about = {"ref": "refs/heads/staging", "after": after, "before": "0" * 40}
        try:
            about["repository"] = self.repository.about()
            return self.act("push", "staging.yml", about, **options)
        finally:
            self.git("checkout", "--quiet", "main")

    def ship(self, *names: str) -> str:
        """Release main into these environments from a laptop; return the release's id."""
        self.mlops("check-data", "train", "evaluate", "gate", "package")
        for name in names:
            self.mlops("promote", "--env", name)
            if name == "staging" and "production" in names:
                self.mlops("deploy", "loadtest", "--env", name)
                self.mlops("down")
        self.git("push", "--quiet", "origin", "main")
        # As if the pushes of each had been deployed: a test is about what comes after.
        self.ended("deploy.yml", self.git("rev-parse", "main"), "success")
        return self.held(names[-1])

    @property
    def open(self) -> list[str]:
        """The branches of the pull requests that are open, oldest first."""
        found = sorted(self.github.pulls.items())
        return [pull["head"]["ref"] for _, pull in found if pull["state"] == "open"]

    def files(self, branch: str) -> list[str]:
        """The files a proposal changes."""
        return self.git("diff", "--name-only", f"main...{self.tip(branch)}").splitlines()

    def tip(self, branch: str) -> str:
        """Fetch a branch and return the commit it is at."""
        self.git("fetch", "--quiet", "origin", branch)
        return self.git("rev-parse", "FETCH_HEAD")

    def merge(self) -> str:
        """Squash the newest pull request onto main, as GitHub's button does; return its branch."""
        number, pull = max((n, p) for n, p in self.github.pulls.items() if p["state"] == "open")
        branch = pull["head"]["ref"]
        self.git("merge", "--quiet", "--squash", self.tip(branch))
        self.git("commit", "--quiet", "--message", f"{pull['title']} (#{number})")
        self.git("push", "--quiet", "origin", "main", f":{branch}")
        pull |= {"state": "closed", "merged_at": "2026-11-21T10:00:00Z"}
        return branch

    def mlops(self, *words: str, check: bool = True) -> str:
        """Run steps in the developer's clone and return what they said."""
        done = subprocess.run(
            [sys.executable, "-m", "mlops", *words],
            cwd=self.folder,
            env={**os.environ, "MLOPS_STORE": self.variables["MLOPS_STORE"], **_alone()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def git(self, *words: str) -> str:
        """Run git in the developer's clone."""
        return self.repository.git(*words)

    def held(self, name: str) -> str | None:
        """The id of the release that an environment holds on main."""
        text = self.git("show", f"main:environments/{name}/release.yaml")
        found = re.search(r"releaseId: (\S+)", text)
        return found and found[1]

    def end(self) -> None:
        """Judge what was said to GitHub."""
        self._server.__exit__(None, None, None)
        judge(self.github)


def _alone() -> dict[str, str]:
    """Return the identity of a developer, and no token of whoever runs the tests."""
    who = {
        f"GIT_{role}_{what}": "tester@localhost"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return who | {"GITHUB_TOKEN": "", "GH_TOKEN": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
