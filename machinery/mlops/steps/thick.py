"""Have an installed machinery in the tree again, to change it: what `make thin` did, undone.

Its files come from the commit that the workflows name, and are compared with their release. The
change is staged, not committed.
"""

import argparse

from mlops.config.options import Option
from mlops.console import say
from mlops.upgrading import thin

OPTIONS = (Option("--from", "path or address of the repository; by default GitHub's", "FROM"),)


def run(options: argparse.Namespace) -> None:
    """Make the change, and report what came and what is to be done."""
    origin, brought = thin.make_thick(getattr(options, "from") or "")
    name = f"{origin.upstream.repository} v{origin.version}"
    say("thick", f"{name} is in the tree: {len(brought)} files came")
    say("", f'staged: git commit -m "machinery: take {name} into the tree"; to undo: {thin.UNDO}')
