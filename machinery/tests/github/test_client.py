"""The client: which repository it speaks of, what it tries again, and what it says when refused."""

import time

import pytest

from machinery.tests.github_api.standin import Fault
from mlops.errors import UserError
from mlops.github.api import GitHub, GitHubError


@pytest.fixture
def client(github):
    """A client that talks to the stand-in."""
    return GitHub(github.repository, "token", github.url)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    """No variable of the machine that runs the tests says anything."""
    for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GH_TOKEN", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)


def remote(monkeypatch, address):
    """Let git name this as the remote."""
    monkeypatch.setattr("mlops.git.git", lambda *arguments, check: address)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/owner/flights",
        "https://github.com/owner/flights.git",
        "git@github.com:owner/flights.git",
        "ssh://git@github.com/owner/flights.git",
        "https://someone:word@github.com/owner/flights",
    ],
)
def test_the_repository_is_that_of_the_remote(monkeypatch, address):
    remote(monkeypatch, address)
    here = GitHub.here()
    assert (here.repository, here.api) == ("owner/flights", "https://api.github.com")


def test_a_server_of_one_s_own_has_its_api_elsewhere(monkeypatch):
    remote(monkeypatch, "git@git.example.com:owner/flights.git")
    assert GitHub.here().api == "https://git.example.com/api/v3"


@pytest.mark.parametrize("address", ["", "/srv/flights.git"])
def test_without_a_remote_it_says_what_to_set(monkeypatch, address):
    remote(monkeypatch, address)
    with pytest.raises(UserError, match="Set GITHUB_REPOSITORY=owner/name"):
        GitHub.here()


def test_a_remote_that_is_not_understood_is_told_without_its_password(monkeypatch):
    remote(monkeypatch, "https://someone:hunter2@github.com/flights")
    with pytest.raises(UserError, match=r"is 'https://\*\*\*@github.com/flights'"):
        GitHub.here()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_stumble_is_tried_again(client, github, status):
    github.faults = [Fault("GET", "labels", status, times=3)]
    assert client.get_all("labels") == []
    assert len(github.calls) == 4


def test_a_long_outage_is_told(client, github):
    github.faults = [Fault("GET", "labels", 504, times=9)]
    with pytest.raises(GitHubError, match="GET .*labels.* answered 504: out of order"):
        client.get("labels")


def test_a_limit_that_ends_late_is_not_waited_for(client, github):
    late = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 3000)}
    github.faults = [Fault("GET", "labels", 403, headers=late)]
    with pytest.raises(GitHubError, match="answered 403"):
        client.get("labels")
    assert len(github.calls) == 1


def test_a_server_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr("mlops.github.api.WAITS", (0, 0, 0))
    with pytest.raises(GitHubError, match="was not reached") as error:
        GitHub("owner/flights", "", "http://127.0.0.1:1").get("labels")
    assert error.value.status == 0


def test_nothing_there_is_none(client):
    assert client.get("branches/gone") is None


def test_a_refusal_names_the_permission(client, github):
    needed = {"X-Accepted-GitHub-Permissions": "actions_variables=read"}
    github.faults = [Fault("GET", "variables", 403, headers=needed)]
    with pytest.raises(GitHubError, match="needs the permission actions_variables=read"):
        client.get("actions/variables")


def test_without_a_token_it_says_so(github):
    github.faults = [Fault("GET", "variables", 401, headers={})]
    with pytest.raises(GitHubError, match="No token was given"):
        GitHub(github.repository, "", github.url).get("actions/variables")


def test_the_token_goes_to_no_other_server(client, github):
    with pytest.raises(GitHubError, match="nothing was sent there"):
        client.get("https://example.com/labels")
    assert github.calls == []
