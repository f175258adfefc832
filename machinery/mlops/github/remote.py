"""Fetch from and push to the remote `origin`, never with force."""

import base64
import os
import time

from mlops import git
from mlops.errors import UserError

# Seconds before each retry; a longer outage of the network needs a person.
PAUSES = (1.0, 4.0, 10.0)
# Messages of git for errors that a retry cannot mend.
FINAL = ("[rejected]", "[remote rejected]", "not appear to be a git repository", "No such remote")
# GitHub's message for a commit whose workflows differ from those of the default branch by now: the
# token of a run may not push it, even if the commit itself changed no workflow.
BEHIND = "refusing to allow a GitHub App to create or update workflow"


class Behind(UserError):
    """The default branch changed its workflows after this commit, so a run cannot push it."""


def exists() -> bool:
    """Return whether there is a remote `origin`."""
    return bool(git.git("remote", "get-url", "origin", check=False))


def fetch(branch: str) -> str | None:
    """Fetch a branch and return its commit, None if it does not exist."""
    if not _reach("ls-remote", "origin", f"refs/heads/{branch}"):
        return None
    _reach("fetch", "--quiet", "--no-tags", "origin", f"+refs/heads/{branch}:{_tracked(branch)}")
    return git.git("rev-parse", _tracked(branch))


def push(commit: str, branch: str) -> None:
    """Push a commit to a branch; raises UserError if it is no fast-forward.

    Raises Behind if the default branch has changed its workflows since the commit.
    """
    try:
        _reach("push", "--quiet", "origin", f"{commit}:refs/heads/{branch}")
    except UserError as error:
        if BEHIND not in str(error):
            raise
        raise Behind(
            f"{branch} was not pushed: the default branch has changed its workflows since "
            f"{commit[:12]} was made, and GitHub accepts no such commit from a run. Re-running "
            "this run fails again. Start its workflow anew: Actions, the workflow, Run workflow."
        ) from None


def remove(branch: str, tip: str) -> None:
    """Remove a branch at commit `tip`; raises UserError if it has moved."""
    lease = f"--force-with-lease=refs/heads/{branch}:{tip}"
    _reach("push", "--quiet", lease, "origin", f":refs/heads/{branch}")


def _tracked(branch: str) -> str:
    return f"refs/remotes/origin/{branch}"


def _reach(*arguments: str) -> str:
    """Run git against origin; retry if the network may have failed."""
    for pause in (*PAUSES, None):
        try:
            return git.git(*arguments, environment=_credentials())
        except UserError as error:
            if pause is None or any(message in str(error) for message in FINAL):
                raise
            time.sleep(pause)
    raise AssertionError


def _credentials() -> dict[str, str]:
    """Return environment variables that let git send the token to GitHub only.

    Other processes could read a command line, and a checkout must not store the token.
    """
    never_ask = {"GIT_TERMINAL_PROMPT": "0"}
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    if not token:
        return never_ask
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    number = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    return {
        **never_ask,
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": f"http.{server}/.extraheader",
        f"GIT_CONFIG_VALUE_{number}": f"AUTHORIZATION: basic {basic}",
    }
