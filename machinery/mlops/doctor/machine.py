"""Checks of what the steps need on this machine."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mlops import git
from mlops.doctor.context import Context
from mlops.doctor.findings import GuardResult, bad, ok

PYTHONS = (3, 11), (3, 15)
# `git init --initial-branch`, `git rev-list` and `git commit --only` as the steps use them.
GIT = (2, 28)


def git_found(_: Context) -> Iterator[GuardResult]:
    """Check that git is installed and new enough."""
    output = git.git("--version")
    match = re.search(r"\d+\.\d+(\.\d+)?", output)
    version = tuple(map(int, match[0].split(".")))[:2] if match else (0, 0)
    if version < GIT:
        yield bad("git", output, f"install git {GIT[0]}.{GIT[1]} or newer")
    else:
        yield ok("git", match[0] if match else output)


def python(_: Context) -> Iterator[GuardResult]:
    """Check that this Python is one that the lock supports."""
    version = ".".join(map(str, sys.version_info[:3]))
    least, beyond = PYTHONS
    if least <= sys.version_info[:2] < beyond:
        yield ok("Python", version)
    else:
        yield bad("Python", version, "make setup PYTHON=<one from 3.11 to 3.14>")


def packages(_: Context) -> Iterator[GuardResult]:
    """Check that the installed packages are those that requirements.txt pins."""
    text = Path("requirements.txt").read_text(encoding="utf-8")
    pins = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", text)
    # Reading only the names of these folders is sixty times as fast as reading their metadata.
    folders = (path.name for entry in sys.path for path in Path(entry).glob("*.dist-info"))
    split = (name.removesuffix(".dist-info").partition("-") for name in folders)
    installed = {name.lower().replace("_", "-"): version for name, _, version in split}
    # A pin for another operating system is not installed here, so a missing one is no fault.
    versions = [(name, installed.get(name, pin), pin) for name, pin in pins]
    other = [f"{name} {version}" for name, version, pin in versions if version != pin]
    present = sum(name in installed for name, _ in pins)
    if other or not present:
        shown = ", ".join(other[:3]) or "none of them is installed"
        yield bad("packages", f"not as requirements.txt pins them: {shown}", "make setup")
    else:
        yield ok("packages", f"{present} as requirements.txt pins them")
