"""A proposal: a branch `retrain/<partition>` with one commit, made outside the user's checkout.

The commit is made and tried in a git worktree below build/, on no branch. The branch is made last,
after the gate has passed, so a run killed at any moment leaves no untested proposal.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlops import file_lock, files, git
from mlops.errors import Refused, UserError
from mlops.paths import BUILD, CACHE, IN_TREE
from mlops.releases.store import VARIABLE, Store

PREFIX = "retrain/"
# This line in the message marks a commit of `make retrain`, which may be replaced.
MARK = "Proposed-by: make retrain"
HOME = BUILD / "retrain"
TREE = HOME / "worktree"
PROPOSAL = HOME / "proposal.json"
# The branch as one file for another clone: the job that trains does not push.
PACKED = HOME / "proposal.bundle"
# Digest of the last bundle made or imported here, so it is imported only once. Not uploaded.
IMPORTED = BUILD / "retrain.taken"
LOCK = BUILD / "retrain.lock"


@dataclass(frozen=True)
class Branch:
    """A branch below retrain/, compared with HEAD.

    It is `open` with commits that HEAD lacks, `ours` if `make retrain` made them.
    """

    name: str
    tip: str
    parents: tuple[str, ...]
    open: bool
    ours: bool


def branch_for(partition: str) -> str:
    """Return the name of the branch that proposes a partition; UserError if git refuses it."""
    name = f"{PREFIX}{partition}"
    if not git.git("check-ref-format", "--branch", name, check=False):
        raise UserError(
            f"The partition {partition!r} gives no valid branch name: git refuses {name!r}. "
            "Name partitions with letters, digits, dots and dashes (data.partitions)."
        )
    if git.git("rev-parse", "--verify", "--quiet", "refs/heads/retrain", check=False):
        raise UserError(
            f"There is a branch named retrain, so git cannot create {name}. "
            "Rename it: git branch -m retrain <another name>"
        )
    return name


def branches() -> list[Branch]:
    """Return the branches below retrain/ in this clone."""
    lines = git.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/retrain")
    return [_read(*line.split(" ")) for line in lines.splitlines()]


def _read(name: str, tip: str) -> Branch:
    beyond = git.git("rev-list", f"HEAD..{tip}").splitlines()
    parents, _, message = git.git("show", "--no-patch", "--format=%P%x00%B", tip).partition("\0")
    ours = len(beyond) <= 1 and (not beyond or MARK in message.splitlines())
    return Branch(name, tip, tuple(parents.split()), bool(beyond), ours)


def require_ours(branch: Branch) -> None:
    """Raise Refused if a branch holds commits of people."""
    if not branch.ours:
        raise Refused(
            f"the branch {branch.name} holds commits that `make retrain` did not make, so it is "
            f"left alone. Merge it, or rename it: git branch -m {branch.name} <another name>"
        )


def remove(branch: Branch, why: str) -> str:
    """Remove a proposal and return the line to print; UserError if it is checked out."""
    git.git("branch", "--quiet", "--delete", "--force", branch.name)
    return f"{branch.name} removed ({branch.tip[:12]}): {why}"


def lock() -> AbstractContextManager[None]:
    """Lock this clone for one retraining; raises Refused while another one runs."""
    return file_lock.exclusive(
        LOCK, Refused(f"another retraining holds {LOCK}. Wait for it to end.")
    )


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Yield a temporary checkout of a commit, on no branch, that shares the cache."""
    _remove_tree()
    TREE.parent.mkdir(parents=True, exist_ok=True)
    try:
        git.git("worktree", "add", "--quiet", "--detach", str(TREE), commit)
        _share(CACHE)
        yield TREE
    finally:
        _remove_tree()


def _share(folder: Path) -> None:
    """Link a folder of the checkout into the worktree."""
    link = TREE / folder
    folder.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder.absolute(), target_is_directory=True)


def _remove_tree() -> None:
    """Remove the worktree, also one left by a killed run; links in it are not followed."""
    shutil.rmtree(TREE, ignore_errors=True)
    # `--force` twice also removes a worktree that git locked while it made it.
    git.git("worktree", "remove", "--force", "--force", str(TREE), check=False)


def commit(tree: Path, changes: dict[Path, str], message: str) -> str:
    """Commit changed files in the worktree, an empty commit if nothing changed."""
    git.require_identity()
    for path, text in changes.items():
        files.write(tree / path, text)
    # No hooks: they are for people's changes, and need tools that the worktree lacks.
    options = ("--quiet", "--no-verify", "--all", "--allow-empty", "--message")
    git.git("-C", str(tree), "commit", *options, f"{message}\n\n{MARK}")
    return git.git("-C", str(tree), "rev-parse", "HEAD")


def propose(name: str, commit: str) -> None:
    """Make the branch of a proposal here, and the bundle file for other clones."""
    git.git("branch", "--force", name, commit)
    git.git("bundle", "create", "--quiet", str(PACKED), name, f"^{commit}^")
    files.write(IMPORTED, files.digest_file(PACKED))


def replay(commit: str, base: str) -> str | None:
    """Return a commit that changes on `base` what a proposal's one changed on its parent.

    None where `base` has changed those files as well, so that people have to look.
    """
    parent = f"{commit}^"
    listed = git.git("diff", "--name-only", "--no-renames", "-z", parent, commit).split("\0")
    names = [name for name in listed if name]
    if names and git.git("diff", "--name-only", parent, base, "--", *names):
        return None
    git.require_identity()
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.git("read-tree", base, environment=index)
        for name in names:
            mode, _, blob = git.git("ls-tree", commit, "--", name).partition("\t")[0].split(" ")
            git.git("update-index", "--cacheinfo", f"{mode},{blob},{name}", environment=index)
        tree = git.git("write-tree", environment=index)
    message = git.git("show", "--no-patch", "--format=%B", commit)
    return git.git("commit-tree", tree, "-p", base, "-m", message)


def tip(name: str) -> str:
    """Return the commit of a proposal's branch, "" without one.

    A branch from another clone is imported once: if it is gone later, people rejected it.
    """
    ref = f"refs/heads/{name}"
    present = git.git("rev-parse", "--verify", "--quiet", ref, check=False)
    if present or not PACKED.exists() or _is_imported():
        return present
    git.git("fetch", "--quiet", str(PACKED), f"{ref}:{ref}")
    files.write(IMPORTED, files.digest_file(PACKED))
    return git.git("rev-parse", ref)


def _is_imported() -> bool:
    return IMPORTED.exists() and IMPORTED.read_text(encoding="utf-8") == files.digest_file(PACKED)


def run_steps(tree: Path, store: Store, *steps: str) -> int:
    """Run steps with the code of the worktree, and return their exit code."""
    environment = git.variables() | {"PYTHONPATH": str((tree / IN_TREE.parent).absolute())}
    # A relative path would name a folder of the worktree.
    environment[VARIABLE] = store.url if "://" in store.url else os.path.abspath(store.url)
    command = [sys.executable, "-m", "mlops", *steps]
    return subprocess.run(command, cwd=tree, env=environment, check=False).returncode


def keep(tree: Path, paths: tuple[Path, ...]) -> None:
    """Copy files of the steps from the worktree to build/retrain/; old ones are replaced."""
    for path in paths:
        target = HOME / path.name
        target.unlink(missing_ok=True)
        if (tree / path).exists():
            files.write(target, (tree / path).read_bytes())
