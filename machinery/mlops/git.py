"""The few git commands that the machinery runs."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mlops.errors import UserError

# The committer in a workflow: the account of GITHUB_TOKEN, with the address GitHub knows it by.
BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")

# Overrides personal settings that would change the output parsed here.
STABLE_OUTPUT = ("-c", "log.showSignature=false", "-c", "log.follow=false")


def git(*arguments: str, check: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """Run git here and return its output; raises UserError with git's own message."""
    try:
        process = subprocess.run(
            ["git", *STABLE_OUTPUT, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=None if environment is None else {**os.environ, **environment},
        )
    except FileNotFoundError:
        raise UserError(
            "git is not installed, and every release names a commit. Install git."
        ) from None
    if check and process.returncode:
        message = process.stderr.strip() or process.stdout.strip()
        raise UserError(f"git {arguments[0]} failed: {message}")
    return process.stdout.strip()


def head() -> str:
    """Return the commit that is checked out, as 40 hex digits."""
    commit = git("rev-parse", "--verify", "--quiet", "HEAD", check=False)
    if not commit:
        raise UserError("There is no commit here yet. Commit the repository first: git commit.")
    return commit


def require_identity() -> None:
    """Make sure that git has a committer; a workflow without one commits as the bot.

    Raises UserError elsewhere, since a person must name themselves.
    """
    email = os.environ.get("GIT_AUTHOR_EMAIL") or git("config", "user.email", check=False)
    if os.environ.get("GITHUB_ACTIONS") == "true" and not email:
        for role in ("AUTHOR", "COMMITTER"):
            os.environ[f"GIT_{role}_NAME"], os.environ[f"GIT_{role}_EMAIL"] = BOT
    for role in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        if not git("var", role, check=False):
            raise UserError(
                "git has no name and address for you, and every promotion is a commit. "
                "Nothing was changed.\nSet both, then run this again:\n"
                '  git config user.name "Your Name"\n  git config user.email you@example.org'
            )


def descends(commit: str, ancestor: str) -> bool:
    """Return whether a commit equals or descends from another; both must exist here."""
    return git("merge-base", ancestor, commit, check=False) == git("rev-parse", ancestor)


def commit_time(commit: str) -> str:
    """Return the time of a commit, in ISO 8601 with its offset."""
    return git("show", "--no-patch", "--format=%cI", commit)


def changed(*paths: str) -> list[str]:
    """Return the files, tracked or not, that differ from HEAD below the paths, if any are named."""
    lines = git("status", "--porcelain", "--untracked-files=all", "--", *paths).splitlines()
    return [line.split(maxsplit=1)[1].strip('"') for line in lines]


def show(commit: str, path: Path) -> str | None:
    """Return a file's text at a commit, None if absent; raises UserError if it is not UTF-8."""
    name = f"{commit}:{path.as_posix()}"
    process = subprocess.run(["git", "show", name], capture_output=True, check=False)
    try:
        return process.stdout.decode() if process.returncode == 0 else None
    except UnicodeDecodeError:
        raise UserError(f"{name} is not UTF-8 text. Save it as UTF-8 and commit it.") from None


def commit_files(message: str, paths: list[Path]) -> str:
    """Commit only these files, whatever else is staged, and return the new commit."""
    names = [path.as_posix() for path in paths]
    git("add", "--", *names)
    git("commit", "--quiet", "--message", message, "--only", "--", *names)
    return head()
