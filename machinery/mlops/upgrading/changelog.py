"""The tasks for a person in the changelog of a newer machinery."""

import re

from mlops.upgrading.template import Version, number

MARK = "**Do this:**"
_HEADING = re.compile(r"(?m)^## +(.+)$")


def tasks(text: str, after: Version) -> list[str]:
    """Return the tasks of all versions after one, oldest first, unreleased changes included."""
    _, *sections = _HEADING.split(text)
    collected = []
    for heading, body in zip(sections[::2], sections[1::2], strict=True):
        version = re.match(r"\d+\.\d+\.\d+", heading)
        if version is None or number(version[0]) > after:
            title = version[0] if version else heading.strip().lower()
            collected.insert(0, [f"{title}: {task}" for task in _tasks(body)])
    return [task for section in collected for task in section]


def _tasks(body: str) -> list[str]:
    paragraphs = re.split(r"\n\s*\n", body)
    lines = [" ".join(paragraph.split()) for paragraph in paragraphs]
    marked = [line.partition(MARK)[2].strip() for line in lines if MARK in line]
    return [task for task in marked if task]
