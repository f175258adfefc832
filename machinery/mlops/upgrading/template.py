"""The repository that the machinery comes from: which one it is, and its commits, fetched aside.

.github/upstream.yaml records it in a fork. It lies outside the machinery's folder, which an upgrade
replaces whole and which a fork with an installed machinery does not have.
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
# The commits of upstream, none of which become part of the fork's own history.
COPY = HOME / "upstream.git"
REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_SHA = re.compile(r"[0-9a-f]{40}")
_HEADER = """\
# Where the machinery comes from, and which commit of it this is. `make upgrade` writes it.
"""

Version = tuple[int, ...]
# A copy made before the machinery was one folder, and had versions.
BEFORE_VERSIONS: Version = (0,)


@dataclass(frozen=True)
class Upstream:
    """What a fork recorded: the repository, and the commit that its machinery is."""

    repository: str
    commit: str


def recorded(text: str) -> Upstream | None:
    """Return what the text of .github/upstream.yaml says, None for an empty one."""
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
    return Upstream(repository, str(commit))


def text(upstream: Upstream) -> str:
    """Return what .github/upstream.yaml holds for an upstream."""
    fields = {"repository": upstream.repository, "commit": upstream.commit}
    return _HEADER + yaml.safe_dump(fields, sort_keys=False, default_style='"')


def address(source: str) -> str:
    """Return the address that others can use, too: of a clone that lies here, its origin's."""
    if not Path(source).is_dir():
        return _without_secret(source)
    origin = git.git("-C", source, "remote", "get-url", "origin", check=False)
    if "://" in origin or re.match(r"[\w.-]+@[\w.-]+:", origin):
        return _without_secret(origin)
    return str(Path(source).resolve())


def _without_secret(url: str) -> str:
    """Return an address that may be committed: who reads it, with which password, is left out."""
    url = re.sub(r"^(https?://)[^/@]*@", r"\1", url)
    return re.sub(r"^(\w+://[^/:@]+):[^/@]*@", r"\1@", url)


def fetch(source: str) -> None:
    """Bring every branch and tag of a repository into build/upgrade/; raises UserError."""
    try:
        _fetch(source)
    except UserError:
        # One that a killed run left half made cannot be fetched into.
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
    """Return the commit that a tag, branch or abbreviated id names in what was fetched."""
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    try:
        return trees.run(COPY, *asked).decode().split()[-1]
    except (UserError, IndexError):
        tags = ", ".join(releases()[:5]) or "no release"
        raise UserError(
            f"Upstream has no {reference!r}. Name a tag, a branch or a commit of it; it has {tags}."
        ) from None


def releases() -> list[str]:
    """Return the tags of releases that were fetched, the newest first."""
    tags = trees.run(COPY, "tag", "--list", "v*").decode().split()
    numbered = [tag for tag in tags if _VERSION.fullmatch(tag[1:])]
    return sorted(numbered, key=lambda tag: number(tag[1:]), reverse=True)


def newest() -> str:
    """Return the newest release; raises UserError where there is none."""
    tags = releases()
    if not tags:
        raise UserError(
            "Upstream has no release yet, no tag like v1.0.0. Name a branch or a commit: REF=main"
        )
    return tags[0]


def tree(reference: str) -> Tree:
    """Return the files of a commit that was fetched."""
    return trees.read(COPY, commit(reference))


def number(version: str) -> Version:
    """Return a version so that it can be compared."""
    return tuple(int(part) for part in version.split("."))


def version(files: Tree) -> str:
    """Return the version of the machinery in a tree, "" for one from before there were any."""
    package = files.text((manifest.FOLDER / "mlops/__init__.py").as_posix())
    line = re.search(r'(?m)^__version__ = "(\d+\.\d+\.\d+)"', package)
    return line[1] if line else ""
