"""`origin`, the repository that others see: fetched from and pushed to, never with force."""

import base64
import os
import time

from mlops import git
from mlops.errors import UserError

# Seconds before another try; what a network loses for longer needs a person.
PAUSES = (1.0, 4.0, 10.0)
# What git says when asking again cannot help.
FINAL = ("[rejected]", "[remote rejected]", "not appear to be a git repository", "No such remote")
# What GitHub says where workflows differ from those of the default branch at that moment: the token
# of a run may not push such a commit, though the commit itself changed none.
BEHIND = "refusing to allow a GitHub App to create or update workflow"


class Behind(UserError):
    """A commit was made before the default branch changed its workflows, so it cannot be pushed."""


def exists() -> bool:
    """Say whether there is an origin."""
    return bool(git.git("remote", "get-url", "origin", check=False))


def fetch(branch: str) -> str | None:
    """Fetch a branch and return the commit it is at, None where there is none."""
    if not _reach("ls-remote", "origin", f"refs/heads/{branch}"):
        return None
    _reach("fetch", "--quiet", "--no-tags", "origin", f"+refs/heads/{branch}:{_tracked(branch)}")
    return git.git("rev-parse", _tracked(branch))


def push(commit: str, branch: str) -> None:
    """Let a branch be at a commit; raises UserError where that would lose what it is at.

    Behind is one that a commit made on the newest default branch would not meet.
    """
    try:
        _reach("push", "--quiet", "origin", f"{commit}:refs/heads/{branch}")
    except UserError as error:
        if BEHIND not in str(error):
            raise
        raise Behind(
            f"{branch} was not pushed: the default branch has changed its workflows since "
            f"{commit[:12]} was made, and GitHub takes no such commit from a run. To run this run "
            "again would repeat that. Start its workflow anew: Actions, the workflow, Run workflow."
        ) from None


def remove(branch: str, tip: str) -> None:
    """Remove a branch that is at `tip`; UserError when it is elsewhere by now."""
    lease = f"--force-with-lease=refs/heads/{branch}:{tip}"
    _reach("push", "--quiet", lease, "origin", f":refs/heads/{branch}")


def _tracked(branch: str) -> str:
    return f"refs/remotes/origin/{branch}"


def _reach(*words: str) -> str:
    """Run git against origin, again where the network may have failed."""
    for pause in (*PAUSES, None):
        try:
            return git.git(*words, environment=_credentials())
        except UserError as error:
            if pause is None or any(words in str(error) for words in FINAL):
                raise
            time.sleep(pause)
    raise AssertionError


def _credentials() -> dict[str, str]:
    """Return the environment in which git shows the token to GitHub, and to nobody else.

    Not on the command line, where other processes could read it; a checkout keeps no token.
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
