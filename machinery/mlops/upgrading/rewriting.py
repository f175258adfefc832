"""Rewrite the references to the machinery in a team's files, for a folder or a package.

Pure functions from text to text. `outward` is for a machinery that is installed and refers to the
upstream, `inward` is for one in the tree and reverses it.
"""

import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from mlops.upgrading.upstream import Upstream

PACKAGE = "mlops-machinery"
# A signature contains the name of the workflow that signs. A call of the upstream's workflow would
# give every caller the same name, and `signed_by` in a policy could not demand this repository's.
SIGNS = ".github/workflows/reusable-sign.yml"
SOURCE = f'{PACKAGE} = {{ path = "machinery", editable = true }}\n'
SOURCES = "[tool.uv.sources]\n"
# The extras that a repository depends on: with an installed machinery, and with its folder.
INSTALLED, IN_TREE = "[steps]", "[steps,maintain]"
_PICTURES = (".png", ".svg")
_OWN = re.compile(r"uses: \$/(\.github/(?:workflows/reusable-[\w-]+\.yml|actions/[\w-]+))")
_THEIRS = re.compile(
    r"uses: ([\w.-]+/[\w.-]+)/(\.github/(?:workflows/reusable-[\w-]+\.yml|actions/[\w-]+))"
    r"@([0-9a-f]{40}) # v([\w.]+)",
    re.ASCII,
)
_LINK = re.compile(r"\]\(((?:\.\./)*machinery/[^)\s]*)\)")
_RUNBOOK = re.compile(r"(?m)^(\s+runbook: )(machinery/\S+)$")
_DEPENDENCY = re.compile(rf'"{PACKAGE}\[[^"]*"')


@dataclass(frozen=True)
class PinnedUpstream:
    """The upstream that a repository with an installed machinery names, and the version."""

    upstream: Upstream
    version: str


def origins(text: str) -> set[PinnedUpstream]:
    """Return the upstreams whose workflows and actions a workflow uses."""
    return {
        PinnedUpstream(Upstream(repository, commit), version)
        for repository, _, commit, version in _THEIRS.findall(text)
    }


def workflow_outward(text: str, origin: PinnedUpstream) -> str:
    """Refer a workflow to the upstream's workflows and actions, except the one that signs."""
    upstream = origin.upstream

    def remote(match: re.Match[str]) -> str:
        if match[1] == SIGNS:
            return match[0]
        return f"uses: {upstream.repository}/{match[1]}@{upstream.commit} # v{origin.version}"

    return _OWN.sub(remote, text)


def workflow_inward(text: str, origin: PinnedUpstream) -> str:
    """Refer a workflow to the workflows and actions of its own repository."""
    ours = origin.upstream.repository
    return _THEIRS.sub(lambda match: f"uses: $/{match[2]}" if match[1] == ours else match[0], text)


def newer(text: str, old: PinnedUpstream, new: PinnedUpstream) -> str:
    """Replace the commit and version of an upstream in its workflows' names, links and wheel."""
    repository, version = re.escape(old.upstream.repository), re.escape(old.version)
    commit = new.upstream.commit
    for pattern, replacement in (
        (
            rf"(uses: {repository}/\S+@){old.upstream.commit} # v{version}\b",
            rf"\g<1>{commit} # v{new.version}",
        ),
        (rf"(github\.com/{repository}/(?:blob|raw)/){old.upstream.commit}/", rf"\g<1>{commit}/"),
        (
            rf"/v{version}/mlops_machinery-{version}-",
            f"/v{new.version}/mlops_machinery-{new.version}-",
        ),
    ):
        text = re.sub(pattern, replacement, text)
    return text


def page_outward(text: str, name: str, origin: PinnedUpstream) -> str:
    """Point a page's links to the machinery, and the runbooks of alerts, to the upstream."""
    folder = str(PurePosixPath(name).parent)

    def address(target: str) -> str:
        kind = "raw" if target.endswith(_PICTURES) else "blob"
        return f"{_base(origin, kind)}{target}"

    def link(match: re.Match[str]) -> str:
        return f"]({address(posixpath.normpath(posixpath.join(folder, match[1])))})"

    text = _LINK.sub(link, text)
    return _RUNBOOK.sub(lambda match: match[1] + address(match[2]), text)


def page_inward(text: str, name: str, origin: PinnedUpstream) -> str:
    """Point a page's links to the upstream, and the runbooks of alerts, to the folder."""
    folder = str(PurePosixPath(name).parent)
    bases = "|".join(re.escape(_base(origin, kind)) for kind in ("blob", "raw"))
    text = re.sub(
        rf"\]\((?:{bases})(machinery/[^)\s]*)\)",
        lambda match: f"]({posixpath.relpath(match[1], folder)})",
        text,
    )
    return re.sub(rf"(?m)^(\s+runbook: )(?:{bases})(machinery/\S+)$", r"\1\2", text)


def project_outward(text: str, wheel: str) -> str:
    """Make pyproject.toml depend on a wheel instead of the folder."""
    text = _DEPENDENCY.sub(f'"{PACKAGE}{INSTALLED} @ {wheel}"', text, count=1)
    text = text.replace(SOURCE, "", 1)
    # Remove the table if it has no other entry.
    return re.sub(rf"(?m)^{re.escape(SOURCES)}\n(?=\[|\Z)", "", text)


def project_inward(text: str) -> str:
    """Make pyproject.toml depend on the folder instead of a wheel."""
    text = _DEPENDENCY.sub(f'"{PACKAGE}{IN_TREE}"', text, count=1)
    if SOURCES in text:
        return text.replace(SOURCES, SOURCES + SOURCE, 1)
    first = re.search(r"(?m)^\[tool\.", text)
    at = first.start() if first else len(text)
    return f"{text[:at]}{SOURCES}{SOURCE}\n{text[at:]}"


def lock_inward(own: str, theirs: str) -> str:
    """Return a lock with the upstream's pins added, because `uv` keeps the versions in it."""
    pins = {_name(block): block for block in _blocks(theirs)} | {
        _name(block): block for block in _blocks(own)
    }
    return "".join(block for name, block in sorted(pins.items()) if name != PACKAGE)


def _blocks(lock: str) -> list[str]:
    return [block for block in re.split(r"(?m)^(?=[a-z0-9])", lock) if block[:1] != "#" and block]


def _name(block: str) -> str:
    return re.split(r"[^\w.-]", block, maxsplit=1)[0]


def _base(origin: PinnedUpstream, kind: str) -> str:
    return f"{origin.upstream.url}/{kind}/{origin.upstream.commit}/"
