"""The repository that the machinery comes from: its record in a fork, and its fetched commits.

.github/upstream.yaml is the record. It lies outside the machinery's folder, which an upgrade
replaces and which a fork with an installed machinery does not have.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlops import git
from mlops.console import without_password
from mlops.errors import UserError
from mlops.paths import BUILD
from mlops.upgrading import manifest, trees
from mlops.upgrading.trees import Tree

FILE = Path(".github/upstream.yaml")
HOME = BUILD / "upgrade"
# A bare clone of upstream, separate from the fork's own history.
COPY = HOME / "upstream.git"
REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_SHA = re.compile(r"[0-9a-f]{40}")
_HEADER = """\
# Where the machinery comes from, and which commit of it this is. `make upgrade` writes it.
"""

Version = tuple[int, ...]
# The version of a copy from before the machinery had versions.
BEFORE_VERSIONS: Version = (0,)


@dataclass(frozen=True)
class UpstreamRecord:
    """The record in a fork: upstream's repository, and the commit of the machinery."""

    repository: str
    commit: str


def recorded(text: str) -> UpstreamRecord | None:
    """Return the record in the text of .github/upstream.yaml, None for an empty text."""
    if not text.strip():
        return None
    try:
        fields: Any = yaml.safe_load(text)
        repository, commit = fields["repository"], fields["commit"]
    except (yaml.YAMLError, TypeError, KeyError):
        repository = commit = None
    if not isinstance(repository, str) or not _SHA.fullmatch(str(commit)):
        raise UserError(
            f"{FILE} names no upstream. It holds two keys: `repository`, a URL or path, and "
            "`commit`, 40 hex digits in quotes. Mend it, or remove it and give FROM=..."
        )
    return UpstreamRecord(repository, str(commit))


def text(upstream: UpstreamRecord) -> str:
    """Return the text of .github/upstream.yaml for a record."""
    fields = {"repository": upstream.repository, "commit": upstream.commit}
    return _HEADER + yaml.safe_dump(fields, sort_keys=False, default_style='"')


def address(source: str) -> str:
    """Return an address that others can use: for a local clone the address of its origin."""
    if not Path(source).is_dir():
        return _without_secret(source)
    origin = git.git("-C", source, "remote", "get-url", "origin", check=False)
    if "://" in origin or re.match(r"[\w.-]+@[\w.-]+:", origin):
        return _without_secret(origin)
    return str(Path(source).resolve())


def _without_secret(url: str) -> str:
    """Return an address without user and password, so that it may be committed."""
    url = re.sub(r"^(https?://)[^/@]*@", r"\1", url)
    return re.sub(r"^(\w+://[^/:@]+):[^/@]*@", r"\1@", url)


def fetch(source: str) -> None:
    """Fetch every branch and tag of a repository into build/upgrade/; raises UserError."""
    try:
        _fetch(source)
    except UserError:
        # A killed run may have left a broken clone: try again with a new one.
        shutil.rmtree(COPY, ignore_errors=True)
        try:
            _fetch(source)
        except UserError as error:
            raise UserError(
                f"{without_password(source)} could not be fetched: {without_password(str(error))}\n"
                "Name the repository of the template, a URL or a path: make upgrade FROM=..."
            ) from None


def _fetch(source: str) -> None:
    COPY.parent.mkdir(parents=True, exist_ok=True)
    git.git("init", "--quiet", "--bare", str(COPY))
    options = ("--quiet", "--force", "--prune", "--no-auto-gc", "--update-shallow")
    trees.run(COPY, "fetch", *options, "--", source, *REFS)


def commit(reference: str) -> str:
    """Return the commit that a tag, branch or abbreviated id names in the fetched repository."""
    command = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    try:
        return trees.run(COPY, *command).decode().split()[-1]
    except (UserError, IndexError):
        tags = ", ".join(releases()[:5]) or "no release"
        raise UserError(
            f"Upstream has no {reference!r}. Name a tag, a branch or a commit of it; it has {tags}."
        ) from None


def releases() -> list[str]:
    """Return the tags of the fetched releases, the newest first."""
    tags = trees.run(COPY, "tag", "--list", "v*").decode().split()
    numbered = [tag for tag in tags if _VERSION.fullmatch(tag[1:])]
    return sorted(numbered, key=lambda tag: number(tag[1:]), reverse=True)


def newest() -> str:
    """Return the newest release; raises UserError if there is none."""
    tags = releases()
    if not tags:
        raise UserError(
            "Upstream has no release yet, no tag like v1.0.0. Name a branch or a commit: REF=main"
        )
    return tags[0]


def tree(reference: str) -> Tree:
    """Return the files of a fetched commit."""
    return trees.read(COPY, commit(reference))


def number(version: str) -> Version:
    """Return a version as numbers, for comparisons."""
    return tuple(int(part) for part in version.split("."))


def version(files: Tree) -> str:
    """Return the version of the machinery in a tree, "" if it is from before 1.0.0."""
    package = files.text((manifest.FOLDER / "mlops/__init__.py").as_posix())
    line = re.search(r'(?m)^__version__ = "(\d+\.\d+\.\d+)"', package)
    return line[1] if line else ""
