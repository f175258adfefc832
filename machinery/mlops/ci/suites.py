"""Run pytest on the test suites that this repository needs: `make test`.

The team's tests and the conformance suite always run. The machinery's own tests run if one of its
files differs from its release, or if MLOPS_TESTS_COMPLETE is set.
"""

import os
import sys

from mlops import PACKAGE
from mlops.console import say
from mlops.upgrading import thin
from mlops.upgrading.manifest import Machinery, machinery, require_as_installed

TEAM = "tests"
MACHINERY = "machinery/tests"
CONFORMANCE = PACKAGE / "conformance"


def needs_machinery(here: Machinery) -> bool:
    """Return whether the machinery's own tests have to run."""
    return here.in_tree and (not here.as_released or bool(os.environ.get("MLOPS_TESTS_COMPLETE")))


def paths(here: Machinery) -> list[str]:
    """Return pytest's arguments: the configuration and the folders of tests."""
    if needs_machinery(here):
        return [
            "--config-file=machinery/pyproject.toml",
            "--rootdir=.",
            TEAM,
            str(CONFORMANCE),
            MACHINERY,
        ]
    return [TEAM, str(CONFORMANCE)]


def main() -> None:
    """Print which suites run, and replace this process by pytest."""
    here = machinery()
    if not here.in_tree:
        require_as_installed()
        thin.require_agreement()
    say("test", _explain(here))
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *paths(here), *sys.argv[1:]])


def _explain(here: Machinery) -> str:
    if not needs_machinery(here):
        return (
            f"machinery {here.version} is as released: its own tests passed there and are left out"
        )
    if here.as_released:
        return (
            f"machinery {here.version} is as released; MLOPS_TESTS_COMPLETE asks for its tests too"
        )
    count = f"{len(here.changed)} files" if here.changed[1:] else here.changed[0]
    return f"machinery {here.version} with {count} changed: its own tests run too"


if __name__ == "__main__":
    main()
