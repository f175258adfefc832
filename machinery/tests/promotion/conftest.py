"""A real clone with three environments, made anew for each test, and what can happen to it."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops import cli, git
from mlops.files import digest
from mlops.github import remote
from mlops.releases import gather
from mlops.releases.environment_history import release_at, release_history
from mlops.releases.environments import environment
from mlops.releases.release import (
    Bundle,
    Contract,
    Data,
    Promoted,
    Proof,
    ReleasedModel,
    Source,
    new_release,
    none_yet,
    write_release,
)
from mlops.releases.rules import table
from mlops.releases.rules.order import require_release
from mlops.releases.store import Store

GATE = "  - {kind: gate, environment: build}\n"
LOAD_TEST = "  - {kind: load-test, environment: staging, max_age_hours: 72}\n"
POLICIES = {
    "dev": f"from: build\nevidence:\n{GATE}",
    "staging": f"from: dev\nevidence:\n{GATE}",
    "production": f"from: staging\nevidence:\n{GATE}{LOAD_TEST}",
}
SETTINGS = "target: local\nport: {port}\n"
PARAMS = "name: churn\nstore: build/store\ndata: {}\nmodel: {any: 1}\n"


def some_promoted(commit="0" * 40, model="one"):
    """What a release of this model, built from this commit, promotes."""

    def of(part):
        return digest(f"{part} {model}".encode())

    return Promoted(
        bundle=Bundle(digest=of("bundle"), bytes=9),
        model=ReleasedModel(name="churn", digest=of("model"), bytes=5),
        data=Data(train=("2013-01",), holdout=("2013-02",), fingerprint=of("data")),
        source=Source(commit=commit),
        contract=Contract(input=of("input"), output=of("output")),
    )


@dataclass
class Answer:
    """How a command ended and all it printed."""

    code: int
    text: str

    @property
    def refusals(self):
        """The ids of the rules that refused."""
        return re.findall(r"^  (P\d{3}) ", self.text, re.MULTILINE)


class Clone:
    """The repository that is the working directory."""

    def __init__(self, capsys):
        self._capsys = capsys

    def mlops(self, *arguments):
        """Run a step as the command line does."""
        self._capsys.readouterr()
        code = cli.main(list(arguments))
        return Answer(code, "".join(self._capsys.readouterr()))

    def git(self, *arguments):
        """Run git and return what it printed."""
        return subprocess.run(
            ["git", *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, path, text):
        """Write a file by hand and commit it."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8")
        self.git("add", path)
        self.git("commit", "-qm", f"by hand: {path}", "--", path)

    def edit(self, path, old, new):
        """Change a committed file by hand and commit it."""
        text = Path(path).read_text("utf-8")
        assert old in text
        self.commit(path, text.replace(old, new))

    def forge(self, path, *edits):
        """Change a file that the last commit wrote as if it had been written so."""
        text = Path(path).read_text("utf-8")
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        Path(path).write_text(text, "utf-8")
        self.git("commit", "-q", "--amend", "--no-edit", "--", path)

    def package(self, model="one", verdict="pass", commit=None):
        """Do as the step `package`: bundle into the store, build/release.yaml; return the id."""
        commit = commit or git.head()
        bundle = Path("build/bundle")
        bundle.parent.mkdir(exist_ok=True)
        bundle.write_text(f"bundle {model}", "utf-8")
        Store("build/store").put(bundle, digest(bundle.read_bytes()))
        gate = Proof(
            kind="gate",
            environment="build",
            verdict=verdict,
            reason="as the gate decided",
            at=datetime.now(UTC),
            digest=digest(b"verdict"),
        )
        release = new_release(some_promoted(commit, model), [gate])
        write_release(Path("build/release.yaml"), release)
        return release.release_id

    def load_test(self, release_id, age=timedelta(hours=1), **changes):
        """Leave the evidence of a load test as the step `loadtest` does."""
        evidence = {
            "kind": "load-test",
            "environment": "staging",
            "releaseId": release_id,
            "verdict": "pass",
            "reason": "p95 31 ms",
            "commit": git.head(),
            "at": (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "figures": {"p95_ms": 31.0, "requests": 900},
            **changes,
        }
        path = Path("build/evidence", release_id, "load-test.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(evidence), "utf-8")

    def merge(self):
        """Let origin's main be HEAD, as the merge of a pull request does."""
        self.git("push", "-q", "origin", "HEAD:main")

    def anew(self):
        """Go to origin's main, as a fresh checkout does."""
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "-B", "main", "origin/main")

    def ship(self, *names, model="one"):
        """Package a model and promote it into these environments; return the id."""
        release_id = self.package(model)
        for name in names:
            if name == "production":
                self.load_test(release_id)
            answer = self.mlops("promote", "--env", name)
            assert answer.code == 0, answer.text
        return release_id

    def deployable(self, name, live=None):
        """The release of an environment after the rules of `deploy`; Refused if one refuses it."""
        target = environment(name)
        release = require_release(target.release, name, "nothing to deploy")
        table.require("no deployment", table.DEPLOY, gather.for_deploy(target, release, live))
        return release

    def refused_at_deploy(self, name, live=None):
        """The ids of the rules that refuse to deploy an environment's release."""
        target = environment(name)
        facts = gather.for_deploy(target, target.release, live)
        return [refusal.rule for refusal in table.refusals(table.DEPLOY, facts)]

    def held(self, name):
        """The id of the release an environment holds in HEAD."""
        release = release_at("HEAD", name)
        return release and release.release_id

    def environment(self, name):
        """The environment of this name."""
        return environment(name)

    def freeze(self, name, begins=timedelta(hours=-1), ends=timedelta(hours=1)):
        """Commit a freeze window around now."""
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        window = f"{{from: {(now + begins).isoformat()}, to: {(now + ends).isoformat()}, "
        text = f"freeze:\n  - {window}timezone: UTC, reason: nobody on call}}\n"
        self.commit(f"environments/{name}/policy.yaml", POLICIES[name] + text)


@pytest.fixture
def clone(tmp_path, monkeypatch, capsys):
    """A clone in which nothing was promoted yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    new = Clone(capsys)
    write_repository()
    new.git("init", "-q", "-b", "main")
    new.git("config", "user.name", "A Tester")
    new.git("config", "user.email", "tester@example.org")
    new.git("add", ".")
    new.git("commit", "-qm", "A model")
    return new


def write_repository():
    """Write the files of a repository in which nothing was promoted yet."""
    files = {
        "params.yaml": PARAMS,
        ".gitignore": "/build/\n",
        "code.py": "answer = 42\n",
        "environments/quarantine.yaml": "# None yet.\n",
    }
    for port, (name, policy) in enumerate(POLICIES.items(), start=3001):
        files[f"environments/{name}/policy.yaml"] = policy
        files[f"environments/{name}/settings.yaml"] = SETTINGS.format(port=port)
        files[f"environments/{name}/release.yaml"] = none_yet()
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8")


@pytest.fixture
def forge(clone, github, tmp_path_factory, monkeypatch):
    """GitHub with the branch main of the clone, and a workflow's environment variables for it."""
    github.git = tmp_path_factory.mktemp("forge") / "flights.git"
    clone.git("init", "-q", "--bare", str(github.git))
    clone.git("remote", "add", "origin", str(github.git))
    clone.git("push", "-q", "origin", "main")
    github.workflows["staging.yml"] = {}
    for name, value in github.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote, "PAUSES", ())
    return github


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory):
    """Where the clone with two releases is kept: making it takes longer than all that follows."""
    return tmp_path_factory.mktemp("kept") / "two"


@pytest.fixture
def two(clone, two_releases, tmp_path):
    """The ids of two releases that went through all environments, one after the other."""
    if not two_releases.exists():
        for model in ("one", "two"):
            clone.ship(*POLICIES, model=model)
        shutil.copytree(tmp_path, two_releases)
    shutil.rmtree(tmp_path)
    shutil.copytree(two_releases, tmp_path)
    os.chdir(tmp_path)
    return tuple(entry.release_id for entry in release_history("production") if entry.release)[::-1]


@pytest.fixture
def promoted():
    """Makes the sealed block of a release: see some_promoted."""
    return some_promoted
