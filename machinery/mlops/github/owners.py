""".github/CODEOWNERS: who must approve which paths. In a new fork no path has an owner yet."""

import re

from mlops.errors import UserError
from mlops.github.settings import CODEOWNERS, PERSON

# A line without an owner is a comment, because GitHub rejects a name that does not exist.
WAITING = re.compile(r"(?m)^#(?P<path>\S+)(?P<gap>\s+)@OWNER$")


def text() -> str:
    """Return the file's text, empty if there is no file."""
    return CODEOWNERS.read_text(encoding="utf-8") if CODEOWNERS.exists() else ""


def waiting() -> list[str]:
    """Return the paths without an owner."""
    return [match["path"] for match in WAITING.finditer(text())]


def owned() -> list[str]:
    """Return the paths that have an owner."""
    return re.findall(r"(?m)^([^#\s]\S*)\s+@", text())


def is_owned(*patterns: str) -> bool:
    """Return whether the last line with one of these patterns names an owner, as on GitHub."""
    lines = (line.split() for line in text().splitlines())
    named = [line[1:2] for line in lines if line and line[0] in patterns]
    return bool(named and named[-1] and named[-1][0].startswith("@"))


def with_owners(owners: tuple[str, ...]) -> str:
    """Return the file with these people or teams in every line without an owner."""
    for name in owners:
        if not re.fullmatch(PERSON, name):
            raise UserError(
                f"--owners: {name!r} names no owner. A person is octocat, a team our-org/ml-team."
            )
    names = " ".join(f"@{name}" for name in owners)
    return WAITING.sub(rf"\g<path>\g<gap>{names}", text())
