"""The few git commands that the machinery runs."""

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mlops.errors import UserError

# The committer in a workflow: the account of GITHUB_TOKEN, with the address GitHub knows it by.
BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")

# Overrides personal settings that would change the output parsed here.
STABLE_OUTPUT = ("-c", "log.showSignature=false", "-c", "log.follow=false")

# Hooks, aliases and `git rebase --exec` set these. They name another repository, index or file
# than those of the working directory.
_ELSEWHERE = (
    *("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
    *("GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"),
    *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
)


def variables(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment variables for git in the working directory, and `more`."""
    inherited = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return inherited | dict(more or {})


def run(
    *arguments: str, content: bytes | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git here, however it ends; raises UserError if it is not installed."""
    try:
        return subprocess.run(
            ["git", *STABLE_OUTPUT, *arguments],
            input=content,
            capture_output=True,
            check=False,
            env=variables(environment),
        )
    except FileNotFoundError:
        raise UserError(
            "git is not installed, and every release names a commit. Install git."
        ) from None


def output(*arguments: str, content: bytes | None = None) -> bytes:
    """Run git here and return its output as bytes; raises UserError with git's own message."""
    process = run(*arguments, content=content)
    if process.returncode:
        raise _failed(arguments[0], process)
    return process.stdout


def git(*arguments: str, check: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """Run git here and return its output; raises UserError with git's own message."""
    process = run(*arguments, environment=environment)
    if check and process.returncode:
        raise _failed(arguments[0], process)
    return _text(process)


def _text(process: subprocess.CompletedProcess[bytes]) -> str:
    return process.stdout.decode().replace("\r\n", "\n").strip()


def _failed(command: str, process: subprocess.CompletedProcess[bytes]) -> UserError:
    message = (process.stderr.strip() or process.stdout.strip()).decode(errors="replace")
    return UserError(f"git {command} failed: {message}")


def require_root() -> None:
    """Make sure that git can read the repository whose root is the working directory."""
    _require_root(os.getcwd())


@cache
def _require_root(folder: str) -> None:
    prefix = git("rev-parse", "--show-prefix")
    if prefix:
        raise UserError(
            f"{folder} is the subfolder {prefix} of another git repository. The commits of a "
            "release are those of its own repository: run this at a repository's root, or make "
            "this folder one (git init)."
        )


def commit_of(name: str) -> str | None:
    """Return the commit that a name stands for, None if there is none of that name here."""
    process = run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    # With --quiet git ends with 1 for an unknown name, and otherwise if it cannot read.
    if process.returncode not in (0, 1):
        raise _failed("rev-parse", process)
    return _text(process) or None


def head() -> str:
    """Return the commit that is checked out, as 40 hex digits."""
    require_root()
    commit = commit_of("HEAD")
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
    """Return whether a commit equals or descends from another; never if one is not here."""
    process = run("merge-base", "--is-ancestor", ancestor, commit)
    if process.returncode not in (0, 1) and None not in (commit_of(commit), commit_of(ancestor)):
        raise _failed("merge-base", process)
    return process.returncode == 0


def commit_time(commit: str) -> str:
    """Return the time of a commit, in ISO 8601 with its offset."""
    return git("show", "--no-patch", "--format=%cI", commit)


def changed(*paths: str) -> list[str]:
    """Return the files, tracked or not, that differ from HEAD below the paths, if any are named."""
    lines = git("status", "--porcelain", "--untracked-files=all", "--", *paths).splitlines()
    return [line.split(maxsplit=1)[1].strip('"') for line in lines]


def show(commit: str, path: Path) -> str | None:
    """Return a file's text at a commit, None if the commit has no such file.

    Raises UserError if git cannot read the commit or the file, or if the file is not UTF-8.
    """
    require_root()
    name = path.as_posix()
    listed = output("ls-tree", "-z", "--full-tree", commit, "--", name).decode()
    # A line is `<mode> blob <id>`, a tab and the name.
    kind, _, blob = listed.partition("\t")[0].partition(" ")[2].partition(" ")
    if kind != "blob":
        return None
    try:
        return output("cat-file", "blob", blob).decode()
    except UnicodeDecodeError:
        raise UserError(
            f"{commit}:{name} is not UTF-8 text. Save it as UTF-8 and commit it."
        ) from None


def commit_files(message: str, paths: list[Path]) -> str:
    """Commit only these files, whatever else is staged, and return the new commit."""
    names = [path.as_posix() for path in paths]
    git("add", "--", *names)
    git("commit", "--quiet", "--message", message, "--only", "--", *names)
    return head()
