"""The stand-in behaves as GitHub, and what it says is what GitHub's own description allows."""

import subprocess

import pytest

from machinery.tests.github_api import description, shapes
from machinery.tests.github_api.standin import Call
from mlops.github.api import GitHub, GitHubError

SHA = "3" * 40


@pytest.fixture
def client(github):
    """A client that talks to the stand-in."""
    github.branches = {"main": SHA, "promote/dev/0001-a": "4" * 40}
    return GitHub(github.repository, "token", github.url)


@pytest.fixture
def bare(github, tmp_path):
    """A bare repository with two commits on main, behind the stand-in."""
    work, github.git = tmp_path / "work", tmp_path / "bare.git"
    me = ["-c", "user.name=tester", "-c", "user.email=tester@localhost"]
    subprocess.run(["git", "init", "-q", "-b", "main", work], check=True)
    for name in ("first", "second"):
        (work / name).touch()
        subprocess.run(["git", "add", "."], cwd=work, check=True)
        subprocess.run(["git", *me, "commit", "-qm", name], cwd=work, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, github.git], check=True)
    return github


def pull(client, head="promote/dev/0001-a", **facts):
    """Open a pull request."""
    return client.send("POST", "pulls", {"title": "T", "head": head, "base": "main"} | facts)


def test_a_pull_request_is_opened_once(client):
    number = pull(client)["number"]
    with pytest.raises(GitHubError, match="A pull request already exists") as refused:
        pull(client)
    assert refused.value.status == 422
    assert [p["number"] for p in client.get_all("pulls?head=owner:promote/dev/0001-a")] == [number]


def test_a_pull_request_needs_its_branch(client):
    with pytest.raises(GitHubError, match="Validation Failed"):
        pull(client, head="gone")


def test_a_closed_pull_request_is_listed_no_more(client):
    number = pull(client)["number"]
    client.send("PATCH", f"pulls/{number}", {"state": "closed"})
    assert client.get_all("pulls") == []
    assert [p["state"] for p in client.get_all("pulls?state=all")] == ["closed"]


def test_comments_are_made_and_edited(client, github):
    number = pull(client)["number"]
    new = client.send("POST", f"issues/{number}/comments", {"body": "one"})
    client.send("PATCH", f"issues/comments/{new['id']}", {"body": "two"})
    assert [c["body"] for c in client.get_all(f"issues/{number}/comments")] == ["two"]
    assert github.comments[new["id"]]["user"] == "github-actions[bot]"


def test_labels_are_put_on_a_pull_request(client, github):
    number = pull(client)["number"]
    client.send("POST", f"issues/{number}/labels", {"labels": ["promotion"]})
    assert github.pulls[number]["labels"] == ["promotion"]


def test_a_branch_moves_forward_only(bare):
    client = GitHub(bare.repository, "token", bare.url)
    new, old = bare.branch("main"), bare.run_git("rev-parse", "main^")
    client.send("POST", "git/refs", {"ref": "refs/heads/staging", "sha": old})
    client.send("PATCH", "git/refs/heads/staging", {"sha": new})
    assert client.get("git/ref/heads/staging")["object"]["sha"] == new
    with pytest.raises(GitHubError, match="not a fast forward"):
        client.send("PATCH", "git/refs/heads/staging", {"sha": old})
    assert bare.branch("staging") == new


def test_the_files_of_a_pull_request_are_those_of_its_branch(bare):
    client = GitHub(bare.repository, "token", bare.url)
    second = bare.branch("main")
    bare.run_git("update-ref", "refs/heads/change", second)
    bare.run_git("update-ref", "refs/heads/main", "main^")
    number = pull(client, head="change")["number"]
    assert [f["filename"] for f in client.get_all(f"pulls/{number}/files")] == ["second"]
    assert [p["number"] for p in client.get_all(f"commits/{second}/pulls")] == [number]


def test_a_dispatch_needs_workflow_and_branch(client, github):
    github.workflows = {"staging.yml": {"state": "active"}}
    body = {"ref": "main", "inputs": {"reason": "advance"}}
    client.send("POST", "actions/workflows/staging.yml/dispatches", body)
    assert github.dispatches == [("staging.yml", "main", {"reason": "advance"})]
    with pytest.raises(GitHubError, match="No ref found"):
        client.send("POST", "actions/workflows/staging.yml/dispatches", {"ref": "gone"})


def test_lists_come_in_pages(client, github):
    github.variables = {f"NAME_{i}": str(i) for i in range(230)}
    assert len(client.get_all("actions/variables")) == 230
    assert len(github.said("GET", "actions/variables")) == 3


def test_the_shapes_are_those_of_the_description():
    assert shapes.FILE.read_text("utf-8") == shapes.written()


@pytest.mark.parametrize(
    "call, mistake",
    [
        (Call("GET", "/repos/o/r/pullz", "", None, 200, []), "GitHub has no"),
        (Call("GET", "/repos/o/r/pulls", "heads=x", None, 200, []), "no parameter 'heads'"),
        (Call("POST", "/repos/o/r/labels", "", {"nam": "x"}, 422, None), ""),
        (Call("POST", "/repos/o/r/labels", "", {"nam": "x"}, 201, {}), "unknown key 'nam'"),
        (Call("POST", "/repos/o/r/labels", "", {"name": 1}, 201, {}), "is not of type 'string'"),
        (Call("GET", "/repos/o/r/labels", "", None, 200, [{"name": "x"}]), "required property"),
        (Call("GET", "/repos/o/r/labels", "", None, 302, None), "has the status 302"),
    ],
)
def test_what_github_does_not_know_is_found(call, mistake):
    """The description judges: a path, a parameter, a key, a type, a status that is not GitHub's."""
    description.description()
    assert mistake in "\n".join(description.mistakes(call))
