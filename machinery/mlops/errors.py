"""The errors that end a step, and the message for an unexpected one."""

import difflib
import errno
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

# Disk and permission errors: neither the code nor the data is wrong.
_DISK_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


class UserError(Exception):
    """A mistake the user can fix: the message names the value, the place, the limit, the remedy."""


class Refused(Exception):
    """A rule refused: the message names the rule and the reason; nothing was changed."""


def did_you_mean(name: str, known_names: Iterable[str]) -> str:
    """Return a question that suggests the nearest known name, "" if none is near."""
    spellings = {spelling.lower(): spelling for spelling in known_names}
    nearest = difflib.get_close_matches(name.lower(), spellings, 1)
    return f" Did you mean {spellings[nearest[0]]!r}?" if nearest else ""


def unexpected_message(error: Exception) -> str:
    """Return the message for an exception that no step expects.

    A disk or permission error gets one line. Anything else gets a traceback, trimmed to the team's
    frames if their code raised.
    """
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        where = f"{error.filename}: " if error.filename else ""
        return (
            f"error: {where}{error.strerror}. Files are written whole or not at all, so none is "
            "broken. Make sure that the folder is writable and has space, then run the same "
            "command again."
        )
    if isinstance(error, SyntaxError) and _is_team_code(error.filename):
        return "error: your code:\n" + "".join(traceback.format_exception_only(error)).rstrip()
    frame = error.__traceback__
    while frame and not _is_team_code(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    if isinstance(error, ModuleNotFoundError) and not frame:
        return (
            f"error: {sys.executable} has no package {error.name!r}. The packages are in .venv: "
            "run `make setup`, then use make's targets or .venv/bin/python."
        )
    title = "error: your code:" if frame else "error: a mistake of the machinery, not yours:"
    lines = traceback.format_exception(type(error), error, frame or error.__traceback__)
    return f"{title}\n{''.join(lines).rstrip()}"


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
    match = re.search(rf"{team}.*?(?=^\d{{4}}-\d\d-\d\dT|\Z)", printed)
    # Without the folder, which may be a temporary one.
    return re.sub(team, '  File "', match[0].rstrip()) if match else ""


def _is_team_code(file: str | None) -> bool:
    return any((Path(folder).resolve() in Path(file or "").parents) for folder in ("data", "model"))
