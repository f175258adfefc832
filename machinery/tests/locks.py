"""Which packages a lock has, and which a package installs: what `make lock` knows from an index."""

import re
from importlib.metadata import requires

from packaging.requirements import Requirement


def needed(package):
    """The names of a package and of all that it installs."""
    asked = [Requirement(text) for text in requires(package) or ()]
    at_once = [one.name for one in asked if not one.marker or one.marker.evaluate({"extra": ""})]
    return {package}.union(*map(needed, at_once))


def pins(lock):
    """The lines of a lock by the name of their package."""
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text("utf-8"), flags=re.M)[1:]
    return {block.partition("==")[0]: block for block in blocks}
