"""The repository that the machinery comes from, and its files at a commit."""

import io
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlops.errors import UserError
from mlops.files import extract
from mlops.git import run
from mlops.paths import BUILD

_NAME = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})", re.ASCII)


@dataclass(frozen=True)
class Upstream:
    """A repository on GitHub, `owner/name`, at a commit."""

    repository: str
    commit: str

    @property
    def url(self) -> str:
        """The address that git fetches from."""
        return f"https://github.com/{self.repository}"

    def wheel(self, version: str) -> str:
        """Return the address of the wheel that the release workflow attached to a version."""
        name = f"mlops_machinery-{version}-py3-none-any.whl"
        return f"{self.url}/releases/download/v{version}/{name}"


def parse(text: str) -> Upstream:
    """Return the upstream that `owner/repository@<commit>` names; raises UserError."""
    match = _NAME.fullmatch(text)
    if not match:
        raise UserError(
            f"UPSTREAM is {text!r}. It is owner/repository@<commit>, the commit with all of its 40 "
            "hex digits: `git ls-remote https://github.com/<owner>/<repository> 'v*'` lists those "
            "of the releases."
        )
    return Upstream(match[1], match[2])


@contextmanager
def files(upstream: Upstream, source: str, *paths: str) -> Iterator[Path]:
    """Yield a folder below build/ with these paths of the upstream's commit, if they exist.

    Fetches from `source`, a path or an address, into a repository of its own: fetching one commit
    into this repository would make it shallow.
    """
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".upstream.", dir=BUILD) as scratch:
        store, folder = Path(scratch) / "store", Path(scratch) / "files"
        _git("init", "--quiet", "--bare", str(store))
        _git("-C", str(store), "fetch", "--quiet", "--depth=1", _absolute(source), upstream.commit)
        listed = _git("-C", str(store), "ls-tree", "-r", "-z", "--name-only", upstream.commit)
        names = [name for name in listed.decode().split("\0") if name.startswith(paths)]
        if names:
            tar = _git("-C", str(store), "archive", upstream.commit, "--", *names)
            with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
                extract(archive, folder)
        folder.mkdir(exist_ok=True)
        yield folder


def _absolute(source: str) -> str:
    return str(Path(source).absolute()) if Path(source).exists() else source


def _git(*arguments: str) -> bytes:
    done = run(*arguments)
    if done.returncode:
        raise UserError(
            f"`git {' '.join(arguments)}` failed: {done.stderr.decode().strip()}. UPSTREAM names "
            "the commit; FROM=<path or address> names the repository to fetch it from."
        )
    return done.stdout
