"""A fork with an installed machinery names a commit of upstream in workflows and pyproject.toml.

An upgrade changes that commit. Files of the template that a team may edit are merged as elsewhere,
after their workflows are rewritten to call upstream's.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from mlops.errors import UserError
from mlops.upgrading import layout
from mlops.upgrading.trees import Tree, TreeEntry

WORKFLOWS = ".github/workflows/*.yml"
PROJECT = "pyproject.toml"
# Files that name upstream: workflows call it, pages and alerts link to it, the lock has its wheel.
NAMING = (WORKFLOWS, "*.md", "environments/monitoring/*.yaml", PROJECT)
# Stays in every repository, because a signature contains the name of the signing workflow.
SIGNS = ".github/workflows/reusable-sign.yml"
_OWN = re.compile(r"uses: \$/(\.github/(?:workflows/reusable-[\w-]+\.yml|actions/[\w-]+))")
_THEIRS = re.compile(
    r"uses: ([\w.-]+/[\w.-]+)/\.github/(?:workflows/reusable-[\w-]+\.yml|actions/[\w-]+)"
    r"@([0-9a-f]{40}) # v(\d+\.\d+\.\d+)"
)


@dataclass(frozen=True)
class Pin:
    """The commit of upstream that a fork names, `repository` as owner/name on GitHub."""

    repository: str
    commit: str
    version: str


def pin(ours: Tree) -> Pin | None:
    """Return the commit that a fork names, None if it names none or has the machinery."""
    if layout.is_in_folder(ours) or layout.is_spread(ours):
        return None
    names = [path for path in ours.entries if fnmatchcase(path, WORKFLOWS)]
    named = {
        Pin(*match)
        for _, content in ours.contents(names)
        for match in _THEIRS.findall(content.decode(errors="replace"))
    }
    if len(named) > 1:
        commits = ", ".join(f"{one.repository}@{one.commit[:12]}" for one in named)
        raise UserError(
            f"The workflows name {commits}. Make all of them name one commit, then upgrade."
        )
    return next(iter(named), None)


def renamed(ours: Tree, old: Pin, new: Pin) -> Tree:
    """Return a fork's files with another commit; raises UserError if its wheel is unknown."""
    names = [path for path in ours.entries if any(fnmatchcase(path, one) for one in NAMING)]
    texts = {}
    for path, content in ours.contents(names):
        changed = _rename(content, old, new)
        if changed != content:
            texts[path] = changed
    if old.version != new.version and PROJECT not in texts:
        raise UserError(
            f"{PROJECT} names no wheel .../v{old.version}/mlops_machinery-{old.version}-*.whl. "
            f"Enter the wheel of {new.version}, run `make lock`, commit, then upgrade."
        )
    return _with(ours, texts)


def _rename(content: bytes, old: Pin, new: Pin) -> bytes:
    repository = re.escape(old.repository)
    changes = (
        (
            rf"(uses: {repository}/\S+@){old.commit} # v{re.escape(old.version)}\b",
            rf"\g<1>{new.commit} # v{new.version}",
        ),
        (rf"(github\.com/{repository}/(?:blob|raw)/){old.commit}/", rf"\g<1>{new.commit}/"),
        (
            rf"/v{re.escape(old.version)}/mlops_machinery-{re.escape(old.version)}-",
            f"/v{new.version}/mlops_machinery-{new.version}-",
        ),
    )
    for pattern, text in changes:
        content = re.sub(pattern.encode(), text.encode(), content)
    return content


def as_installed(release: Tree, new: Pin) -> Tree:
    """Return the template's files without the machinery, with workflows that call `new`."""
    entries = {
        path: entry
        for path, entry in release.entries.items()
        if path != PROJECT and (path == SIGNS or not layout.is_machinery(path))
    }
    tree = replace(release, entries=entries)
    names = [path for path in entries if fnmatchcase(path, WORKFLOWS)]
    text = rf"uses: {new.repository}/\1@{new.commit} # v{new.version}"
    return _with(
        tree,
        {path: _call(content, text) for path, content in tree.contents(names)},
    )


def _call(content: bytes, text: str) -> bytes:
    def call(match: re.Match[str]) -> str:
        return match[0] if match[1] == SIGNS else match.expand(text)

    return _OWN.sub(call, content.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _with(tree: Tree, texts: dict[str, bytes]) -> Tree:
    """Return a tree with new texts for some of its files."""
    entries = tree.entries | {
        path: TreeEntry(tree.entries[path].mode, _blob(content)) for path, content in texts.items()
    }
    return replace(tree, entries=entries, texts=tree.texts | texts)


def _blob(content: bytes) -> str:
    """Return git's object id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
