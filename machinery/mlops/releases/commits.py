"""How a promotion or rollback is put down: alone, as whole files, in one commit of nothing else."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

from mlops import file_lock, files, git
from mlops.console import say
from mlops.errors import UserError
from mlops.paths import BUILD
from mlops.releases.refusals import ALONE, refused

LOCK = BUILD / "promotion.lock"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

Changes = dict[Path, str]


def alone() -> AbstractContextManager[None]:
    """Keep other promotions and rollbacks in this clone out; raises Refused when one is running."""
    other = ALONE.refuse(what=f"Another one holds {LOCK}")
    return file_lock.exclusive(LOCK, refused("nothing was changed", [other]))


def foreign(differing: list[str], changes: Changes) -> list[str]:
    """Return the files that differ from HEAD by other than a killed run of these very changes."""
    planned = {path.as_posix(): text for path, text in changes.items()}
    return [name for name in differing if not _is_ours(Path(name), planned.get(name))]


def _is_ours(path: Path, planned: str | None) -> bool:
    if planned is None or not path.is_file():
        return False
    # The killed run wrote the same but for the time of day.
    there = path.read_bytes().decode(errors="replace")
    return _TIME.sub("", there) == _TIME.sub("", planned)


def commit(message: str, changes: Changes, base: str) -> str:
    """Write files and commit them alone on `base`, the HEAD that they were computed from.

    When git will not, what HEAD holds is put back and UserError raised; Refused when HEAD moved.
    """
    git.require_identity()
    if git.head() != base:
        what = f"HEAD moved from {base[:12]} to {git.head()[:12]} while this ran"
        raise refused("nothing was changed", [ALONE.refuse(what=what)])
    for path, text in changes.items():
        _sweep(path)
        files.write(path, text)
    try:
        made = git.commit_files(message, list(changes))
    except UserError as error:
        _put_back(changes)
        raise UserError(f"{error}\nNothing was changed. Mend that and run this again.") from None
    if not git.git("branch", "--show-current", check=False):
        say("git", f"no branch is checked out: `git branch NAME {made[:12]}` keeps this commit")
    return made


def _sweep(path: Path) -> None:
    """Remove what a run killed while writing left beside a file; the lock keeps others out."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink()


def _put_back(changes: Changes) -> None:
    git.git("reset", "--quiet", "--", *(path.as_posix() for path in changes), check=False)
    for path in changes:
        before = git.show("HEAD", path)
        if before is None:
            path.unlink(missing_ok=True)
        else:
            files.write(path, before)
