"""The comment on a pull request, executed: one, kept up to date, whatever fails on the way."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from machinery.tests.workflows.repositories import NAME, OWNER, ROOT
from mlops.ci.post_comment import MARK

POST = ".github/actions/post-report/action.yml"
PINNED = "a3a66c74b218b08710f42bf599b066e37cb4cba7"
HEAD = "a" * 40
MINE = "github-actions[bot]"

pytestmark = pytest.mark.slow


def program(repository, name, text):
    """Put a program on the runner."""
    path = repository.home / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


def install_cml(repository, script):
    """Let the runner find CML at the commit that the action pins, and what runs it."""
    cml = repository.home / "cml"
    (cml / "bin").mkdir(parents=True)
    (cml / "bin/cml.js").write_text(script, "utf-8")
    repository.git("init", "--quiet", folder=cml)
    repository.git("add", "--all", folder=cml)
    repository.git("commit", "--quiet", "--message", "CML", folder=cml)
    forge = repository.forges / "iterative/cml.git"
    repository.git("clone", "--quiet", "--bare", str(cml), str(forge), folder=cml)
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true", folder=forge)
    commit = repository.git("rev-parse", "HEAD", folder=cml)
    repository.edit(POST, PINNED, commit)
    python = f'PYTHONPATH="{ROOT}" exec "{sys.executable}"'
    program(repository, "npm", 'test "$1 $2 $3" = "ci --prefix .cml" && test -f .cml/bin/cml.js')
    program(repository, "node", f'{python} "$@"')


@pytest.fixture
def posting(repository, github):
    """A repository whose CML works, and a GitHub that knows its pull request."""
    script = Path("machinery/tests/workflows/posting/cml.py").read_text("utf-8")
    install_cml(repository, script)
    repository.commit("Install CML")
    github.repository = f"{OWNER}/{NAME}"
    repository.api = github.url
    return repository


@pytest.fixture(scope="module")
def numbers(shared):
    """What a run of a pull request leaves as its artifact, packed."""
    command = [sys.executable, "-m", "mlops", "check-data", "train", "evaluate"]
    environment = shared.environment(OMP_NUM_THREADS="1")
    subprocess.run(command, cwd=shared.folder, env=environment, check=True, capture_output=True)
    return packed(shared.folder / "build")


def packed(folder):
    """The two files of an artifact that are read, as GitHub packs them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("record.json", "data-check.json"):
            archive.write(folder / name, name)
    return buffer.getvalue()


@pytest.fixture
def strange(posting, github, numbers):
    """A stranger's pull request, answered by run 77; posts its report as a maintainer would."""
    place = {"ref": "change", "sha": HEAD, "repo": f"stranger/{NAME}"}
    github.pulls = {7: {"number": 7, "state": "open", "head": place, "base": {"ref": "main"}}}
    run = {"id": 77, "event": "pull_request", "path": ".github/workflows/ci.yml"}
    run |= {"head_sha": HEAD, "head_branch": "change", "head_repository": f"stranger/{NAME}"}
    github.runs = [run]
    github.artifacts = [{"id": 1, "run": 77, "name": "report", "content": numbers}]

    def post():
        event = {
            "inputs": {"run-id": "77"},
            "repository": posting.about(),
            "ref": "refs/heads/main",
        }
        return posting.act("workflow_dispatch", event, "post-report.yml")

    return post


def bodies(github):
    """The comments there are: who wrote them, and what they say."""
    return [(one["user"], one["body"]) for one in github.comments.values()]


def test_a_stranger_s_report_is_posted_once_and_then_edited(strange, github):
    """CML makes the comment; a second run of the same finds it."""
    strange().require("Comment / post")
    ((author, first),) = bodies(github)
    assert author == MINE and "CML watermark report" in first and "come from a run of code" in first
    next(iter(github.comments.values()))["body"] = first.replace("mean absolute", "OLD")
    strange().require("Comment / post")
    assert bodies(github) == [(author, first)]


def test_where_cml_fails_it_is_posted_without(posting, strange, github):
    program(posting, "node", "exit 1")
    strange().require("Comment / post")
    ((_, body),) = bodies(github)
    assert body.endswith(MARK)


def test_where_cml_cannot_be_fetched_it_is_posted_without(posting, strange, github):
    forge = posting.forges / "iterative/cml.git"
    forge.rename(forge.with_name("gone"))
    strange().require("Comment / post")
    assert bodies(github)[0][1].endswith(MARK)


def test_a_stranger_s_comment_is_never_edited(strange, github):
    """It carries CML's mark: CML would take it for its own."""
    body = '![](https://cml.dev/watermark.png#abc "CML watermark report")'
    github.comments = {1: {"id": 1, "issue": 7, "user": "stranger", "body": body}}
    strange().require("Comment / post")
    assert bodies(github)[0] == ("stranger", body)
    assert bodies(github)[1][0] == MINE


def test_when_the_head_moved_nothing_is_posted_and_the_run_says_so(strange, github):
    github.pulls[7]["head"]["sha"] = "b" * 40
    run = strange()
    assert run.results["Comment / post"] == "failure"
    assert "is at bbbbbbbbbbbb by now" in run.log
    assert bodies(github) == []


def answered(repository, github, number):
    """Answer a pull request from a branch here, its artifact found as GitHub would give it."""
    event = repository.pull_request(number=number)
    head = event["pull_request"]["head"]
    place = {"ref": head["ref"], "sha": head["sha"]}
    github.branches = {head["ref"]: head["sha"], "main": event["pull_request"]["base"]["sha"]}
    facts = {"number": number, "state": "open", "head": place, "base": {"ref": "main"}}
    github.pulls = {number: facts}
    run = {"id": 1, "event": "pull_request", "path": ".github/workflows/ci.yml"}
    run |= {"head_sha": head["sha"], "head_branch": head["ref"], "status": "in_progress"}
    github.runs = [run | {"conclusion": None}]
    kept = repository.home / f"run-{repository.count + 1}" / "artifacts/1/report"
    github.artifacts = [{"id": 1, "run": 1, "name": "report", "content": lambda: packed(kept)}]
    return repository.act("pull_request", event, "ci.yml")


def test_a_pull_request_has_one_comment_kept_up_to_date(posting, github):
    """From the run's own artifact, right after its report; the second push edits it."""
    posting.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    answered(posting, github, 7).require("Comment / post", "all-green")
    ((author, first),) = bodies(github)
    assert author == MINE and first.startswith("## ✓ Pass")
    posting.git("checkout", "--quiet", "change")
    posting.edit("params.yaml", "ridge: 0.4", "ridge: 90000")
    run = answered(posting, github, 7)
    assert run.results["all-green"] == "failure" == run.results["Train / candidate"]
    ((_, second),) = bodies(github)
    assert second.startswith("## ✗ Fail") and "M1" in second


def test_a_comment_that_fails_fails_nothing_else(posting, github):
    posting.edit("params.yaml", "ridge: 0.5", "ridge: 0.4")
    comments = f"/repos/{OWNER}/{NAME}/issues/7/comments"
    github.closed = {f"POST {comments}": 403}
    run = answered(posting, github, 7)
    run.require("Comment / post", "all-green")
    assert [call.status for call in github.said("POST", comments)] == [403, 403]
