"""The few questions and orders the machinery has for git."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mlops.ci import actions
from mlops.errors import UserError

# Who commits in a workflow: the account that GITHUB_TOKEN acts as, known to GitHub by this address.
BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")

# Whatever people set for their own eyes, what is read here stays the same.
PLAIN = ("-c", "log.showSignature=false", "-c", "log.follow=false")


def git(*arguments: str, check: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """Run git here and return what it printed; raises UserError with git's own words."""
    try:
        done = subprocess.run(
            ["git", *PLAIN, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=None if environment is None else {**os.environ, **environment},
        )
    except FileNotFoundError:
        raise UserError("git is not installed, and every release names a commit.") from None
    if check and done.returncode:
        raise UserError(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def head() -> str:
    """Return the commit the working directory stands on, as 40 hex digits."""
    commit = git("rev-parse", "--verify", "--quiet", "HEAD", check=False)
    if not commit:
        raise UserError("There is no commit here yet. Commit the repository first: git commit.")
    return commit


def require_identity() -> None:
    """Make sure that git knows who commits: in a workflow the bot if nobody else is named.

    Raises UserError where a person must say it.
    """
    told = os.environ.get("GIT_AUTHOR_EMAIL") or git("config", "user.email", check=False)
    if actions.inside() and not told:
        for role in ("AUTHOR", "COMMITTER"):
            os.environ[f"GIT_{role}_NAME"], os.environ[f"GIT_{role}_EMAIL"] = BOT
    for role in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        if not git("var", role, check=False):
            raise UserError(
                "git does not know who you are, and every move of a release is a commit. "
                "Nothing was changed.\nTell it, then run this again:\n"
                '  git config user.name "Your Name"\n  git config user.email you@example.org'
            )


def descends(commit: str, ancestor: str) -> bool:
    """Say whether a commit is or descends from another one, both known here."""
    return git("merge-base", ancestor, commit, check=False) == git("rev-parse", ancestor)


def commit_time(commit: str) -> str:
    """Return when a commit was made, in ISO 8601 with its offset."""
    return git("show", "--no-patch", "--format=%cI", commit)


def changed(*paths: str) -> list[str]:
    """Return the files, tracked or not, that differ from HEAD below the paths, or anywhere."""
    lines = git("status", "--porcelain", "--untracked-files=all", "--", *paths).splitlines()
    return [line.split(maxsplit=1)[1].strip('"') for line in lines]


def show(commit: str, path: Path) -> str | None:
    """Return a file's text at a commit, None where it was not there; UserError if not UTF-8."""
    name = f"{commit}:{path.as_posix()}"
    done = subprocess.run(["git", "show", name], capture_output=True, check=False)
    try:
        return done.stdout.decode() if done.returncode == 0 else None
    except UnicodeDecodeError:
        raise UserError(f"{name} is no text in UTF-8. Save it as UTF-8 and commit it.") from None


def commit_files(message: str, paths: list[Path]) -> str:
    """Commit these files and nothing else, whatever else is staged, and return the new commit."""
    names = [path.as_posix() for path in paths]
    git("add", "--", *names)
    git("commit", "--quiet", "--message", message, "--only", "--", *names)
    return head()
