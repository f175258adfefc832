"""Move the checked-out branch to a finished commit; a kill at any moment loses nothing.

A killed `git merge` leaves a tree in an unknown state. Here a file records the move before it
begins, each file is replaced atomically, and the next run finishes the move.
"""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from mlops import files, git
from mlops.errors import Refused, UserError
from mlops.upgrading import trees
from mlops.upgrading.template import HOME
from mlops.upgrading.trees import TreeEntry

WORKTREE = HOME / "worktree"
STATE = HOME / "landing.json"
_INDEX = HOME / "index"
_GONE = "0" * 40


@dataclass(frozen=True)
class Landing:
    """A move of a branch from a commit to its child, whose files are in the worktree."""

    branch: str
    base: str
    commit: str


def worktree(commit: str) -> Path:
    """Check out a commit into the worktree, on no branch; replaces one of a killed run."""
    remove_worktree()
    WORKTREE.parent.mkdir(parents=True, exist_ok=True)
    git.git("worktree", "add", "--quiet", "--detach", str(WORKTREE), commit)
    return WORKTREE


def remove_worktree() -> None:
    """Remove the worktree without following its links."""
    shutil.rmtree(WORKTREE, ignore_errors=True)
    # `--force` twice: git locks a worktree while creating it.
    git.git("worktree", "remove", "--force", "--force", str(WORKTREE), check=False)


def branch() -> str:
    """Return the branch that is checked out; raises UserError if there is none."""
    name = git.git("symbolic-ref", "--quiet", "HEAD", check=False)
    if not name:
        raise UserError(
            "HEAD is on no branch, so the upgrade has no branch to commit to. Check one out first, "
            "e.g. git switch main."
        )
    return name


def begin(landing: Landing) -> None:
    """Record the move, then make it."""
    files.write_json(STATE, asdict(landing))
    _finish(landing)


def unfinished() -> Landing | None:
    """Return the unfinished move of a killed run, None if there is none or HEAD has moved."""
    if not STATE.exists():
        return None
    landing = Landing(**files.read_json(STATE, made_by="upgrade"))
    at = git.git("rev-parse", "--verify", "--quiet", "HEAD", check=False)
    if git.git("symbolic-ref", "--quiet", "HEAD", check=False) == landing.branch:
        if at in (landing.base, landing.commit):
            return landing
    forget()
    return None


def resume(landing: Landing) -> None:
    """Finish the move of a killed run."""
    if git.git("-C", str(WORKTREE), "rev-parse", "HEAD", check=False) != landing.commit:
        worktree(landing.commit)
    else:
        git.git("-C", str(WORKTREE), "reset", "--quiet", "--hard", landing.commit)
    _finish(landing)


def forget() -> None:
    """Remove the record of a move and its worktree."""
    remove_worktree()
    STATE.unlink(missing_ok=True)


def _finish(landing: Landing) -> None:
    git_dir = Path(git.git("rev-parse", "--absolute-git-dir"))
    before = trees.read(git_dir, landing.base).entries
    after = trees.read(git_dir, landing.commit).entries
    names = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    _require_untouched(names, before, after)
    for name in names:
        if name not in after:
            _remove(Path(name))
    for name in names:
        if name in after:
            _copy(WORKTREE / name, Path(name))
    if git.head() == landing.base:
        # Give the expected old commit, so that git refuses if somebody committed meanwhile.
        git.git("update-ref", "-m", "upgrade", landing.branch, landing.commit, landing.base)
    _index(names, after)
    forget()


def _require_untouched(
    names: list[str], before: dict[str, TreeEntry], after: dict[str, TreeEntry]
) -> None:
    """Raise Refused if somebody edited a file: it matches neither the old nor the new commit."""
    present = [name for name in names if os.path.lexists(name) and not Path(name).is_dir()]
    plain = [name for name in present if not Path(name).is_symlink()]
    hashed = git.git("hash-object", "--", *plain).splitlines() if plain else []
    edited = [
        name
        for name, blob in zip(plain, hashed, strict=True)
        if blob not in {side[name].blob for side in (before, after) if name in side}
    ]
    if edited:
        raise Refused(
            f"{', '.join(edited)} was edited during the upgrade, and is left as it is. Save it "
            "elsewhere, restore it (git checkout HEAD -- FILE, or remove an untracked one), then "
            "run the same command again to finish."
        )


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    for folder in [one for one in path.parents if one != Path()]:
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        try:
            folder.rmdir()
        except OSError:
            # The folder has other files.
            return


def _copy(source: Path, target: Path) -> None:
    """Replace a file atomically: other processes read the old content or the new one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.upgrade")
    aside.unlink(missing_ok=True)
    shutil.copy(source, aside, follow_symlinks=False)
    os.replace(aside, target)


def _index(names: list[str], after: dict[str, TreeEntry]) -> None:
    """Write the new files into git's index, in a copy: a kill would leave git's lock file."""
    index = Path(git.git("rev-parse", "--git-path", "index"))
    if index.exists():
        shutil.copy(index, _INDEX)
    _INDEX.with_name(f"{_INDEX.name}.lock").unlink(missing_ok=True)
    lines = [
        f"{after[n].mode} {after[n].blob}\t{n}" if n in after else f"0 {_GONE}\t{n}" for n in names
    ]
    git_dir = Path(git.git("rev-parse", "--absolute-git-dir"))
    environment = {
        "GIT_INDEX_FILE": str(_INDEX.absolute()),
        "GIT_WORK_TREE": str(Path().absolute()),
    }
    content = "".join(f"{line}\0" for line in lines).encode(errors="surrogateescape")
    trees.run(
        git_dir, "update-index", "-z", "--index-info", content=content, environment=environment
    )
    trees.run(git_dir, "update-index", "-q", "--really-refresh", environment=environment)
    os.replace(_INDEX, index)
