""".github/CODEOWNERS: who must approve what. A new fork has nobody in it; its lines wait."""

import re

from mlops.errors import UserError
from mlops.github.settings import CODEOWNERS, PERSON

# A line that waits for an owner is a comment, as GitHub would refuse a name it does not know.
WAITING = re.compile(r"(?m)^#(?P<path>\S+)(?P<gap>\s+)@OWNER$")


def text() -> str:
    """Return the file's text, empty where there is none."""
    return CODEOWNERS.read_text(encoding="utf-8") if CODEOWNERS.exists() else ""


def waiting() -> list[str]:
    """Return the paths whose lines wait for an owner."""
    return [match["path"] for match in WAITING.finditer(text())]


def owned() -> list[str]:
    """Return the paths that have an owner."""
    return re.findall(r"(?m)^([^#\s]\S*)\s+@", text())


def with_owners(owners: tuple[str, ...]) -> str:
    """Return the file with these people or teams in every line that waits for some."""
    for name in owners:
        if not re.fullmatch(PERSON, name):
            raise UserError(
                f"--owners: {name!r} can be no owner. A person is octocat, a team our-org/ml-team."
            )
    names = " ".join(f"@{name}" for name in owners)
    return WAITING.sub(rf"\g<path>\g<gap>{names}", text())
