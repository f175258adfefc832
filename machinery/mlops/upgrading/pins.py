"""A fork with an installed machinery names a commit of upstream in workflows and pyproject.toml.

An upgrade changes that commit. Files of the template that a team may edit are merged as elsewhere,
after their workflows are rewritten to call upstream's.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase

from mlops.errors import UserError
from mlops.upgrading import layout, rewriting
from mlops.upgrading.rewriting import PinnedUpstream
from mlops.upgrading.trees import Tree, TreeEntry

WORKFLOWS = ".github/workflows/*.yml"
PROJECT = "pyproject.toml"
# Files that name upstream: workflows call it, pages and alerts link to it, the lock has its wheel.
NAMING = (WORKFLOWS, "*.md", "environments/monitoring/*.yaml", PROJECT)


def pin(ours: Tree) -> PinnedUpstream | None:
    """Return the commit that a fork names, None if it names none or has the machinery."""
    if layout.is_in_folder(ours) or layout.is_spread(ours):
        return None
    contents = ours.contents(_matching(ours, WORKFLOWS))
    pins = {one for _, content in contents for one in rewriting.origins(_text(content))}
    if len(pins) > 1:
        commits = sorted(f"{one.upstream.repository}@{one.upstream.commit[:12]}" for one in pins)
        raise UserError(
            f"The workflows name {', '.join(commits)}. Make all of them name one commit, then "
            "upgrade."
        )
    return next(iter(pins), None)


def renamed(ours: Tree, old: PinnedUpstream, new: PinnedUpstream) -> Tree:
    """Return a fork's files with another commit; raises UserError if its wheel is unknown."""
    tree = _rewritten(ours, NAMING, lambda text: rewriting.newer(text, old, new))
    if old.version != new.version and PROJECT not in tree.texts:
        raise UserError(
            f"{PROJECT} names no wheel .../v{old.version}/mlops_machinery-{old.version}-*.whl. "
            f"Enter the wheel of {new.version}, run `make lock`, commit, then upgrade."
        )
    return tree


def as_installed(release: Tree, new: PinnedUpstream) -> Tree:
    """Return the template's files without the machinery, with workflows that call `new`."""
    entries = {
        path: entry
        for path, entry in release.entries.items()
        if path != PROJECT and (path == rewriting.SIGNS or not layout.is_machinery(path))
    }
    tree = replace(release, entries=entries)
    return _rewritten(tree, (WORKFLOWS,), lambda text: rewriting.workflow_outward(text, new))


def _matching(tree: Tree, *patterns: str) -> list[str]:
    return [path for path in tree.entries if any(fnmatchcase(path, one) for one in patterns)]


def _text(content: bytes) -> str:
    """Return a file's text; bytes that are not UTF-8 come back when it is encoded again."""
    return content.decode(errors="surrogateescape")


def _rewritten(tree: Tree, patterns: tuple[str, ...], change: Callable[[str], str]) -> Tree:
    """Return a tree with new texts for those of its files that change."""
    texts = {}
    for path, content in tree.contents(_matching(tree, *patterns)):
        changed = change(_text(content)).encode(errors="surrogateescape")
        if changed != content:
            texts[path] = changed
    entries = {
        path: TreeEntry(tree.entries[path].mode, _blob(content)) for path, content in texts.items()
    }
    return replace(tree, entries=tree.entries | entries, texts=tree.texts | texts)


def _blob(content: bytes) -> str:
    """Return git's object id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
