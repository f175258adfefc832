"""Install the machinery instead of having it in the tree: a fork of its own files alone.

machinery/, the reusable workflows and the actions leave; the workflows call those of UPSTREAM at
its commit, and requirements.txt pins the wheel by its hash. The change is staged, not committed.
Refused where a file of the machinery differs from its release. `make thick` goes back.
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
    """Make the change, and report what left and what is to be done."""
    commit = upstream.parse(options.upstream)
    origin, leaves = thin.make_thin(commit, options.wheel or "", getattr(options, "from") or "")
    name = f"{origin.upstream.repository} v{origin.version}"
    say("thin", f"{name} is installed from now on: {len(leaves)} files left the tree")
    say("", f'staged: git commit -m "machinery: install {name}"; to undo: {thin.UNDO}')
    say(
        "",
        f"runners of your own take jobs of {origin.upstream.repository} only if it has your owner",
    )
