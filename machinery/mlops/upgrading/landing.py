"""Let the checked-out branch be at a finished commit, so that a kill at any moment loses nothing.

`git merge` killed half-way leaves a tree that nobody can judge. Here a file says what is being done
before anything is; each file is replaced whole; and whoever runs again goes on from there.
"""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from mlops import files, git
from mlops.errors import Refused, UserError
from mlops.upgrading import trees
from mlops.upgrading.template import HOME
from mlops.upgrading.trees import Entry

WORKTREE = HOME / "worktree"
STATE = HOME / "landing.json"
_INDEX = HOME / "index"
_GONE = "0" * 40


@dataclass(frozen=True)
class Landing:
    """A branch that goes from one commit to another, its child; the files are in the worktree."""

    branch: str
    base: str
    commit: str


def worktree(commit: str) -> Path:
    """Make a checkout of a commit, on no branch, in place of one that a killed run left."""
    remove_worktree()
    WORKTREE.parent.mkdir(parents=True, exist_ok=True)
    git.git("worktree", "add", "--quiet", "--detach", str(WORKTREE), commit)
    return WORKTREE


def remove_worktree() -> None:
    """Remove the worktree; links in it are not followed."""
    shutil.rmtree(WORKTREE, ignore_errors=True)
    # Twice, for git locks a worktree while it makes it.
    git.git("worktree", "remove", "--force", "--force", str(WORKTREE), check=False)


def branch() -> str:
    """Return the branch that is checked out; UserError where there is none."""
    name = git.git("symbolic-ref", "--quiet", "HEAD", check=False)
    if not name:
        raise UserError(
            "HEAD is on no branch, so nothing can hold the upgrade's commit. Check one out first, "
            "e.g. git switch main."
        )
    return name


def begin(landing: Landing) -> None:
    """Record what is to be done, then do it."""
    files.write_json(STATE, asdict(landing))
    _finish(landing)


def unfinished() -> Landing | None:
    """Return what a killed run left half done, None where there is nothing or people went on."""
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
    """Finish what a killed run began."""
    if git.git("-C", str(WORKTREE), "rev-parse", "HEAD", check=False) != landing.commit:
        worktree(landing.commit)
    else:
        git.git("-C", str(WORKTREE), "reset", "--quiet", "--hard", landing.commit)
    _finish(landing)


def forget() -> None:
    """Remove what only an unfinished landing needs."""
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
        # With the commit it must be at: whoever committed meanwhile loses nothing.
        git.git("update-ref", "-m", "upgrade", landing.branch, landing.commit, landing.base)
    _index(names, after)
    forget()


def _require_untouched(names: list[str], before: dict[str, Entry], after: dict[str, Entry]) -> None:
    """Raise Refused where a file is neither as it was nor as it becomes: somebody edited it."""
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
            f"{', '.join(edited)} is neither as before the upgrade nor as after it, and is left "
            "alone. Save it elsewhere, put it back as it was (git checkout HEAD -- FILE, or remove "
            "one that git does not know), then run the same command again to finish."
        )


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    for folder in [one for one in path.parents if one != Path()]:
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        try:
            folder.rmdir()
        except OSError:
            # Something else is in it.
            return


def _copy(source: Path, target: Path) -> None:
    """Put a file in place whole: what runs meanwhile sees the old one or the new one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.upgrade")
    aside.unlink(missing_ok=True)
    shutil.copy(source, aside, follow_symlinks=False)
    os.replace(aside, target)


def _index(names: list[str], after: dict[str, Entry]) -> None:
    """Let git's index name the new files; made aside, for a kill would leave git's own lock."""
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
