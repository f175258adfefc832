"""The ways a step ends other than well."""

import difflib
import errno
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

# What is wrong is a folder or a disk, and neither code nor data.
_MACHINE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


class UserError(Exception):
    """A mistake the user can mend: says what was found, where, what is allowed and what to do."""


class Refused(Exception):
    """A rule said no: names the rule and why; nothing was changed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question whether the nearest of the known names was meant, "" if none is near."""
    spelled = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), spelled, 1)
    return f" Did you mean {spelled[near[0]]!r}?" if near else ""


def unforeseen(error: Exception) -> str:
    """Return what to say of an exception that no step expects.

    A machine that takes no files is told in a line; else the way the error came, without the
    machinery's part of it where it is the team's own code that raised.
    """
    if isinstance(error, OSError) and error.errno in _MACHINE:
        where = f"{error.filename}: " if error.filename else ""
        return (
            f"error: {where}{error.strerror}. Files here are whole or absent: nothing is broken. "
            "See that this folder can be written and has room, then run the same command again."
        )
    if isinstance(error, SyntaxError) and _theirs(error.filename):
        return "error: your code:\n" + "".join(traceback.format_exception_only(error)).rstrip()
    way = error.__traceback__
    while way and not _theirs(way.tb_frame.f_code.co_filename):
        way = way.tb_next
    if isinstance(error, ModuleNotFoundError) and not way:
        return (
            f"error: {sys.executable} has no package {error.name!r}. What is needed is in .venv: "
            "`make setup`, then use make's targets or .venv/bin/python."
        )
    said = "error: your code:" if way else "error: a mistake of the machinery, not yours:"
    lines = traceback.format_exception(type(error), error, way or error.__traceback__)
    return f"{said}\n{''.join(lines).rstrip()}"


def failure(printed: str, otherwise: str, source: Path | None = None) -> str:
    """Return the last line that a program printed, and its traceback from the team's code on.

    `source` is the folder that holds the team's code; `otherwise` stands for nothing printed.
    """
    traced = _traced(printed, source.resolve()) if source else ""
    *_, last = (traced or printed).strip().splitlines() or [otherwise]
    return "\n".join([f"{last.rstrip('.')}.", *filter(None, [traced])])


def _traced(printed: str, source: Path) -> str:
    """Return a printed traceback from the team's code on, "" where there is none."""
    team = rf'(?ms)^ *File "{re.escape(str(source))}/(?=(?:data|model)/)'
    # A service logs on after it, each time with a date.
    found = re.search(rf"{team}.*?(?=^\d{{4}}-\d\d-\d\dT|\Z)", printed)
    # Without the folder, which may be a temporary one.
    return re.sub(team, '  File "', found[0].rstrip()) if found else ""


def _theirs(file: str | None) -> bool:
    return any((Path(folder).resolve() in Path(file or "").parents) for folder in ("data", "model"))
