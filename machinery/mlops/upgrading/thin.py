"""Two ways to have the machinery: a folder of the repository, or a package that is installed.

Both changes begin with a clean tree, so git has whatever they replace: one that was cut short is
undone by `git reset --hard`. Each ends staged, to be read and committed by a person.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from mlops import __version__, git
from mlops.errors import Refused, UserError
from mlops.files import write
from mlops.upgrading import manifest, rewriting, upstream
from mlops.upgrading.rewriting import Origin

WORKFLOWS = ".github/workflows"
# What signs names itself in the signature. One of the upstream would give everybody who calls it
# the same name, and a policy could not distinguish them: `signed_by` asks for this repository's.
SIGNS = f"{WORKFLOWS}/reusable-sign.yml"
# The upstream's own: it releases the machinery.
RELEASES = f"{WORKFLOWS}/machinery-release.yml"
MACHINERY = (f"{manifest.FOLDER}/", ".github/actions/", f"{WORKFLOWS}/reusable-", RELEASES)
PAGES = ("*.md", "environments/monitoring/*.yaml")
PROJECT, LOCK = Path("pyproject.toml"), Path("requirements.txt")
UNDO = "git reset --hard"
_SHOWN = 5


def make_thin(
    origin_commit: upstream.Upstream, wheel: str, source: str
) -> tuple[Origin, list[str]]:
    """Remove the machinery from the tree and install it; returns from where, and what left."""
    _require_clean()
    here = _require_released()
    origin = Origin(origin_commit, here.version)
    address = _address(wheel or origin_commit.wheel(here.version))
    _require_same_release(origin, source or origin_commit.url)
    digest = _require_same_package(address)
    leaves = [name for name in _tracked() if name.startswith(MACHINERY) and name != SIGNS]
    _rewrite(
        _workflows(),
        lambda text, _: rewriting.workflow_outward(text, origin, SIGNS.__eq__),
    )
    _rewrite(_pages(), lambda text, name: rewriting.page_outward(text, name, origin))
    _rewrite([str(PROJECT)], lambda text, _: rewriting.project_outward(text, address))
    # What uv kept of an address may be older than what was compared.
    _compile("IN_TREE=", options=f"--refresh-package={rewriting.PACKAGE}")
    if digest not in LOCK.read_text("utf-8"):
        raise UserError(f"{address} changed meanwhile; its sha256 was {digest}. Undo: {UNDO}")
    git.git("rm", "--quiet", "-r", "--", *leaves)
    _remove_caches(manifest.FOLDER)
    git.git("add", "--update")
    return origin, leaves


def make_thick(source: str) -> tuple[Origin, list[str]]:
    """Bring the machinery back from its upstream; returns from where, and what came."""
    if (manifest.FOLDER / "mlops").is_dir():
        raise Refused(f"{manifest.FOLDER}/ is in the tree already; nothing is to be done.")
    _require_clean()
    origin = _origin()
    wanted = (*MACHINERY, str(LOCK))
    with upstream.files(origin.upstream, source or origin.upstream.url, *wanted) as files:
        brought = _require_whole(origin, files)
        lock = (files / LOCK).read_text("utf-8")
        _rewrite(_workflows(), lambda text, _: rewriting.workflow_inward(text, origin))
        _rewrite(_pages(), lambda text, name: rewriting.page_inward(text, name, origin))
        _rewrite([str(PROJECT)], lambda text, _: rewriting.project_inward(text))
        _rewrite([str(LOCK)], lambda text, _: rewriting.lock_inward(text, lock))
        for name in brought:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(files / name, name)
    _compile()
    git.git("add", "--update")
    git.git("add", "--", *brought)
    return origin, brought


def _require_clean() -> None:
    if changed := git.changed():
        raise Refused(
            f"{_few(changed)} not committed, and this change replaces files. Commit or stash them; "
            f"what an earlier one left that was cut short is undone by `{UNDO}`."
        )


def _require_released() -> manifest.Machinery:
    here = manifest.machinery()
    if not here.in_tree:
        raise Refused("there is no folder machinery/: this repository has it installed already.")
    if not manifest.MANIFEST.exists():
        raise Refused(
            f"{manifest.MANIFEST} is missing: this machinery was not released, so no wheel has it. "
            "`make release VERSION=...` releases it; a fork takes a released one by `make upgrade`."
        )
    if not here.as_released:
        raise Refused(
            f"{_few(here.changed)} not as in release {here.version} of the machinery, and "
            "its wheel would not have these changes. Offer them to the upstream, or take them "
            "back; until then keep the machinery in the tree."
        )
    return here


def _require_same_release(origin: Origin, source: str) -> None:
    """Make sure that the workflows to be called are those in the tree."""
    with upstream.files(origin.upstream, source, str(manifest.MANIFEST)) as files:
        theirs = files / manifest.MANIFEST
        if theirs.is_file() and theirs.read_bytes() == manifest.MANIFEST.read_bytes():
            return
        other = manifest.read(files)[0] if theirs.is_file() else "none that was released"
    name = f"{origin.upstream.repository}@{origin.upstream.commit}"
    raise Refused(
        f"UPSTREAM is {name}, whose machinery is {other}; here it is {origin.version}. Name the "
        f"commit of the tag: git ls-remote {origin.upstream.url} 'v{origin.version}*'"
    )


def _require_same_package(address: str) -> str:
    """Make sure that the wheel holds the package in the tree, and return the wheel's SHA-256."""
    content, theirs = _fetch(address)
    package = manifest.FOLDER / "mlops"
    ours = {
        path.relative_to(manifest.FOLDER).as_posix(): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = sorted(theirs.keys() | ours.keys())
    if differ := [name for name in names if theirs.get(name) != ours.get(name)]:
        raise Refused(
            f"WHEEL is {address}, and {_few(differ)} not as in {manifest.FOLDER}/. "
            "Name the wheel of this version."
        )
    return hashlib.sha256(content).hexdigest()


def _fetch(address: str) -> tuple[bytes, dict[str, bytes]]:
    """Return a wheel, and the files of the package in it."""
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            content = response.read()
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            names = [name for name in wheel.namelist() if name.startswith("mlops/")]
            return content, {name: wheel.read(name) for name in names if name[-1] != "/"}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"WHEEL is {address}, and there is no wheel to be had: {error}. WHEEL=<address or "
            "path> names another place; `make wheel` builds one."
        ) from None


def require_agreement() -> None:
    """Raise UserError where the workflows call another version than the one that is installed."""
    if others := sorted({one.version for one in _origins()} - {__version__}):
        raise UserError(
            f"{WORKFLOWS}/ use machinery v{others[0]}, and {LOCK} pins {__version__}: a run would "
            f"mix both. Let the workflows and the wheel in {PROJECT} be of one version, then: "
            "make lock"
        )


def _origin() -> Origin:
    """Return where the machinery comes from, as every workflow says alike."""
    origins = _origins()
    if len(origins) == 1:
        return origins.pop()
    names = (f"{one.upstream.repository}@{one.upstream.commit} # v{one.version}" for one in origins)
    raise UserError(
        f"{WORKFLOWS}/ use workflows of {', '.join(sorted(names)) or 'no upstream'}. All of them "
        "name the one commit that the machinery comes from; let them."
    )


def _origins() -> set[Origin]:
    texts = (Path(name).read_text("utf-8") for name in _workflows())
    return {origin for text in texts for origin in rewriting.origins(text)}


def _require_whole(origin: Origin, files: Path) -> list[str]:
    """Return the files of the machinery in a folder, which are those of the installed release."""
    here = manifest.machinery(files)
    if not here.as_released or here.version != origin.version:
        raise Refused(
            f"{origin.upstream.repository}@{origin.upstream.commit} holds machinery {here.version} "
            f"with {len(here.changed)} files that differ from that release; the workflows name "
            f"v{origin.version}. Let them name the commit of its tag."
        )
    paths = sorted(path for path in files.rglob("*") if path.is_file())
    names = (path.relative_to(files).as_posix() for path in paths)
    return [name for name in names if name != str(LOCK)]


def _compile(*words: str, options: str = "") -> None:
    """Compile the lock as `make lock` does; raises UserError with what uv says."""
    make = os.environ.get("MAKE", "make")
    command = [make, "--no-print-directory", "compile", f"VENV={sys.prefix}", f"ARGS={options}"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"the lock could not be compiled:\n{done.stderr.strip()}\nNothing was committed: "
            f"`{UNDO}` brings everything back."
        )


def _rewrite(names: Iterable[str], change: Callable[[str, str], str]) -> None:
    for name in names:
        text = Path(name).read_text("utf-8")
        changed = change(text, name)
        if changed != text:
            write(Path(name), changed)


def _remove_caches(folder: Path) -> None:
    """Remove what Python compiled in a folder, and the folders that are empty then."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _workflows() -> list[str]:
    """Return the workflows that stay in every repository."""
    tracked = _tracked(f"{WORKFLOWS}/*.yml")
    return [name for name in tracked if name == SIGNS or not name.startswith(MACHINERY)]


def _pages() -> list[str]:
    return [name for name in _tracked(*PAGES) if not name.startswith(MACHINERY)]


def _tracked(*patterns: str) -> list[str]:
    return [name for name in git.git("ls-files", "-z", "--", *patterns).split("\0") if name]


def _address(wheel: str) -> str:
    return wheel if "://" in wheel else Path(wheel).absolute().as_uri()


def _few(names: Iterable[str]) -> str:
    """Return the first of some files, and how many more there are, as a subject with its verb."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{', '.join(listed[:_SHOWN])}{more} {'are' if len(listed) > 1 else 'is'}"
