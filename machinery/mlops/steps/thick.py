"""Put an installed machinery back into the tree, so that you can change it: undoes `make thin`.

The files come from the commit that the workflows name and are compared with their release. The
change is staged, not committed.
"""

import argparse

from mlops.config.options import Option
from mlops.console import say
from mlops.upgrading import thin

OPTIONS = (Option("--from", "path or address of the repository; by default GitHub's", "FROM"),)


def run(options: argparse.Namespace) -> None:
    """Make the change, print the number of added files and the next commands."""
    origin, added = thin.make_thick(getattr(options, "from") or "")
    name = f"{origin.upstream.repository} v{origin.version}"
    say("thick", f"{name} is in the tree: {len(added)} files added")
    say("", f'staged: git commit -m "machinery: take {name} into the tree"; to undo: {thin.UNDO}')
