"""Commit a promotion or rollback: under a lock, whole files only, nothing else in the commit."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

from mlops import file_lock, files, git
from mlops.console import say
from mlops.errors import UserError
from mlops.paths import BUILD
from mlops.releases.rules.rule import refused, require_none
from mlops.releases.rules.scope import ALONE, check_head

LOCK = BUILD / "promotion.lock"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

Changes = dict[Path, str]


def lock() -> AbstractContextManager[None]:
    """Lock this clone for one promotion or rollback; raises Refused while another one runs."""
    other = ALONE.refuse(what=f"Another one holds {LOCK}")
    return file_lock.exclusive(LOCK, refused("nothing was changed", [other]))


def without_ours(uncommitted: list[str], changes: Changes) -> tuple[str, ...]:
    """Return the uncommitted files less those that a killed run of these changes wrote."""
    planned = {path.as_posix(): text for path, text in changes.items()}
    return tuple(name for name in uncommitted if not _is_ours(Path(name), planned.get(name)))


def _is_ours(path: Path, planned: str | None) -> bool:
    if planned is None or not path.is_file():
        return False
    # The killed run wrote the same text with another time.
    text = path.read_bytes().decode(errors="replace")
    return _TIME.sub("", text) == _TIME.sub("", planned)


def commit(message: str, changes: Changes, base: str) -> str:
    """Write files and commit only them on `base`, the HEAD that they were computed from.

    Raises Refused if HEAD moved. If git fails, restores the files and raises UserError.
    """
    git.require_identity()
    require_none("nothing was changed", check_head(base, git.head()))
    for path, text in changes.items():
        _remove_leftovers(path)
        files.write(path, text)
    try:
        new = git.commit_files(message, list(changes))
    except UserError as error:
        _restore(changes)
        raise UserError(f"{error}\nNothing was changed. Fix that and run this again.") from None
    if not git.git("branch", "--show-current", check=False):
        say("git", f"no branch is checked out: `git branch NAME {new[:12]}` keeps this commit")
    return new


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of a killed run; under the lock no other run has one."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink()


def _restore(changes: Changes) -> None:
    git.git("reset", "--quiet", "--", *(path.as_posix() for path in changes), check=False)
    for path in changes:
        before = git.show("HEAD", path)
        if before is None:
            path.unlink(missing_ok=True)
        else:
            files.write(path, before)
