"""A proposal: a branch `retrain/<partition>` with one commit, made beside the user's checkout.

The commit is made and tried in a git worktree below build/, on no branch. The branch is made last,
when the gate has passed, so that a run killed at any moment leaves no proposal that was not judged.
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
# The line by which a commit is known to be a proposal, and one that may be replaced.
MARK = "Proposed-by: make retrain"
HOME = BUILD / "retrain"
TREE = HOME / "worktree"
PROPOSAL = HOME / "proposal.json"
# The branch as one file, for another clone: what trains may not be what pushes.
PACKED = HOME / "proposal.bundle"
# Which of these files this clone made or took its branch from; it is no part of what others get.
TAKEN = BUILD / "retrain.taken"
LOCK = BUILD / "retrain.lock"


@dataclass(frozen=True)
class Branch:
    """A branch below retrain/: its tip, and what it holds that HEAD does not."""

    name: str
    tip: str
    parents: tuple[str, ...]
    open: bool
    ours: bool


def branch_for(partition: str) -> str:
    """Return the name of the branch that proposes a partition; UserError where git allows none."""
    name = f"{PREFIX}{partition}"
    if not git.git("check-ref-format", "--branch", name, check=False):
        raise UserError(
            f"The partition {partition!r} makes no name of a branch: git refuses {name!r}. "
            "Name partitions with letters, digits, dots and dashes (data.partitions)."
        )
    if git.git("rev-parse", "--verify", "--quiet", "refs/heads/retrain", check=False):
        raise UserError(
            f"A branch named retrain is in the way: git cannot keep {name} beside it. "
            "Rename it: git branch -m retrain <another name>"
        )
    return name


def branches() -> list[Branch]:
    """Return the branches below retrain/ here."""
    lines = git.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/retrain")
    return [_read(*line.split(" ")) for line in lines.splitlines()]


def _read(name: str, tip: str) -> Branch:
    beyond = git.git("rev-list", f"HEAD..{tip}").splitlines()
    parents, _, message = git.git("show", "--no-patch", "--format=%P%x00%B", tip).partition("\0")
    ours = len(beyond) <= 1 and (not beyond or MARK in message.splitlines())
    return Branch(name, tip, tuple(parents.split()), bool(beyond), ours)


def require_ours(branch: Branch) -> None:
    """Raise Refused when a branch holds what people put there."""
    if not branch.ours:
        raise Refused(
            f"the branch {branch.name} holds commits that `make retrain` did not make, so it is "
            f"left alone. Merge it, or rename it: git branch -m {branch.name} <another name>"
        )


def remove(branch: Branch, why: str) -> str:
    """Remove a proposal and return what is to be told; UserError where it is checked out."""
    git.git("branch", "--quiet", "--delete", "--force", branch.name)
    return f"{branch.name} removed ({branch.tip[:12]}): {why}"


def alone() -> AbstractContextManager[None]:
    """Keep another retraining in this clone out; raises Refused while one is running."""
    return file_lock.exclusive(
        LOCK, Refused(f"another retraining holds {LOCK}. Wait for it to end.")
    )


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Yield a checkout of a commit, on no branch, that shares the cache; gone afterwards."""
    _remove_tree()
    TREE.parent.mkdir(parents=True, exist_ok=True)
    try:
        git.git("worktree", "add", "--quiet", "--detach", str(TREE), commit)
        _share(CACHE)
        yield TREE
    finally:
        _remove_tree()


def _share(folder: Path) -> None:
    """Let a folder named from the root be the same one in the worktree."""
    there = TREE / folder
    folder.mkdir(parents=True, exist_ok=True)
    if not there.exists():
        there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to(folder.absolute(), target_is_directory=True)


def _remove_tree() -> None:
    """Remove the worktree, one half made by a killed run too; links in it are not followed."""
    shutil.rmtree(TREE, ignore_errors=True)
    # Twice, for git locks a worktree while it makes it.
    git.git("worktree", "remove", "--force", "--force", str(TREE), check=False)


def commit(tree: Path, changes: dict[Path, str], message: str) -> str:
    """Commit changed files in the worktree, an empty commit where there are none."""
    git.require_identity()
    for path, text in changes.items():
        files.write(tree / path, text)
    # No hooks: they are for people's changes, and look for tools the worktree has not.
    words = ("commit", "--quiet", "--no-verify", "--all", "--allow-empty", "--message")
    git.git("-C", str(tree), *words, f"{message}\n\n{MARK}")
    return git.git("-C", str(tree), "rev-parse", "HEAD")


def propose(name: str, commit: str) -> None:
    """Make the branch of a proposal, here and for whoever gets build/retrain/."""
    git.git("branch", "--force", name, commit)
    git.git("bundle", "create", "--quiet", str(PACKED), name, f"^{commit}^")
    files.write(TAKEN, files.digest_file(PACKED))


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
    """Return the commit a proposal's branch is at, "" without one; another clone's is taken once.

    A branch that was here and is gone was removed by somebody, who said no.
    """
    ref = f"refs/heads/{name}"
    there = git.git("rev-parse", "--verify", "--quiet", ref, check=False)
    if there or not PACKED.exists() or _is_taken():
        return there
    git.git("fetch", "--quiet", str(PACKED), f"{ref}:{ref}")
    files.write(TAKEN, files.digest_file(PACKED))
    return git.git("rev-parse", ref)


def _is_taken() -> bool:
    return TAKEN.exists() and TAKEN.read_text(encoding="utf-8") == files.digest_file(PACKED)


def run_steps(tree: Path, store: Store, *steps: str) -> int:
    """Run steps with the code of the worktree, let them talk, and return how they ended."""
    environment = os.environ | {"PYTHONPATH": str((tree / IN_TREE.parent).absolute())}
    # A folder is named from here, where the worktree would look for its own.
    environment[VARIABLE] = store.url if "://" in store.url else os.path.abspath(store.url)
    command = [sys.executable, "-m", "mlops", *steps]
    return subprocess.run(command, cwd=tree, env=environment, check=False).returncode


def keep(tree: Path, names: tuple[Path, ...]) -> None:
    """Copy what the steps wrote in the worktree to build/retrain/, in place of what was there."""
    for path in names:
        target = HOME / path.name
        target.unlink(missing_ok=True)
        if (tree / path).exists():
            files.write(target, (tree / path).read_bytes())
