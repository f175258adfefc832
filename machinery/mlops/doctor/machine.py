"""What this machine needs for the steps."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mlops import git
from mlops.doctor.context import Seen
from mlops.doctor.findings import Finding, bad, ok

PYTHONS = (3, 11), (3, 15)
# `git init --initial-branch`, `git rev-list` and `git commit --only` as the steps use them.
GIT = (2, 28)


def git_found(_: Seen) -> Iterator[Finding]:
    """Git is there, and new enough."""
    words = git.git("--version")
    found = re.search(r"\d+\.\d+(\.\d+)?", words)
    version = tuple(map(int, found[0].split(".")))[:2] if found else (0, 0)
    if version < GIT:
        yield bad("git", words, f"install git {GIT[0]}.{GIT[1]} or newer")
    else:
        yield ok("git", found[0] if found else words)


def python(_: Seen) -> Iterator[Finding]:
    """Python is one of those the lock is for."""
    found = ".".join(map(str, sys.version_info[:3]))
    least, beyond = PYTHONS
    if least <= sys.version_info[:2] < beyond:
        yield ok("Python", found)
    else:
        yield bad("Python", found, "make setup PYTHON=<one from 3.11 to 3.14>")


def packages(_: Seen) -> Iterator[Finding]:
    """What is installed is what requirements.txt pins."""
    text = Path("requirements.txt").read_text(encoding="utf-8")
    pins = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", text)
    # The names of these folders are enough, and sixty times as fast as what lies in them.
    folders = (found.name for place in sys.path for found in Path(place).glob("*.dist-info"))
    split = (name.removesuffix(".dist-info").partition("-") for name in folders)
    installed = {name.lower().replace("_", "-"): version for name, _, version in split}
    # A pin for another system is not installed here; one that is has its version.
    other = [f"{name} {found}" for name, pin in pins if (found := installed.get(name, pin)) != pin]
    there = sum(name in installed for name, _ in pins)
    if other or not there:
        shown = ", ".join(other[:3]) or "none of them is installed"
        yield bad("packages", f"not as requirements.txt pins them: {shown}", "make setup")
    else:
        yield ok("packages", f"{there} as requirements.txt pins them")
