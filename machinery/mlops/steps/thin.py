"""Install the machinery as a package and remove it from the tree.

Removes machinery/, the reusable workflows and the actions. The workflows then call those of
UPSTREAM at its commit, and requirements.txt pins the wheel by its hash. The change is staged, not
committed. Refuses if a file of the machinery differs from its release. `make thick` reverses it.
"""

import argparse

from mlops.config.options import Option
from mlops.console import say
from mlops.upgrading import thin, upstream

OPTIONS = (
    Option("--upstream", "the machinery's repository, owner/repository@<commit>", "UPSTREAM", True),
    Option("--wheel", "address or path of the wheel; by default the release's", "WHEEL"),
    Option("--from", "path or address of the repository; by default GitHub's", "FROM"),
)


def run(options: argparse.Namespace) -> None:
    """Make the change, print the number of removed files and the next commands."""
    commit = upstream.parse(options.upstream)
    origin, removed = thin.make_thin(commit, options.wheel or "", getattr(options, "from") or "")
    name = f"{origin.upstream.repository} v{origin.version}"
    say("thin", f"{name} is installed now: {len(removed)} files removed from the tree")
    say("", f'staged: git commit -m "machinery: install {name}"; to undo: {thin.UNDO}')
    say(
        "",
        f"self-hosted runners accept jobs of {origin.upstream.repository} only with the same owner",
    )
