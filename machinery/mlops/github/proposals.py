"""What is to be proposed: the promotion, rollback or upgrade that a commit is, or a retraining."""

import re
from dataclasses import dataclass
from typing import Any

from mlops import git
from mlops.files import read_json
from mlops.releases.environment_history import release_at
from mlops.releases.release import Release, catalogue_ids, sequence
from mlops.retraining import proposal
from mlops.upgrading.upgrade import MARK, PACKED

_RELEASE_FILE = re.compile(r"environments/([^/]+)/release\.yaml")


@dataclass(frozen=True)
class Offer:
    """A commit, the branch that carries it to its pull request, and what it is about."""

    kind: str
    place: str
    name: str
    commit: str
    title: str

    @property
    def prefix(self) -> str:
        """What the branches of all proposals begin with that this one takes the place of."""
        return "/".join(filter(None, (self.kind, self.place))) + "/"

    @property
    def branch(self) -> str:
        """The branch."""
        return self.prefix + self.name


@dataclass(frozen=True)
class Move(Offer):
    """A promotion or rollback: `release` is what the environment shall hold."""

    release: Release

    @property
    def skipped(self) -> int:
        """How many releases of the catalogue this passes over: it counts what nobody saw here."""
        held = self.release.spec.supersedes
        ends = sorted((sequence(held) if held else 0, sequence(self.release.release_id)))
        return sum(ends[0] < sequence(known) < ends[1] for known in catalogue_ids())


@dataclass(frozen=True)
class Retraining(Offer):
    """What `retrain` left: `told` is build/retrain/proposal.json."""

    told: dict[str, Any]


def move(commit: str) -> Move | None:
    """Return the promotion or rollback that a commit is, None where it is something else."""
    names = git.git("diff-tree", "--no-commit-id", "--name-only", "-r", commit).splitlines()
    places = [found[1] for name in names if (found := _RELEASE_FILE.fullmatch(name))]
    release = release_at(commit, places[0]) if len(places) == 1 else None
    if release is None:
        return None
    kind = "rollback" if release.spec.rollback else "promote"
    title = git.git("show", "--no-patch", "--format=%s", commit)
    return Move(kind, places[0], release.release_id, commit, title, release)


@dataclass(frozen=True)
class Upgrade(Offer):
    """A newer machinery: the commit that `make upgrade` left."""

    message: str


def upgrade(commit: str) -> Upgrade | None:
    """Return the upgrade of the machinery that a commit is, or that another job packed; or None."""
    if PACKED.exists():
        # What makes an upgrade runs the newer machinery, and may not push.
        git.git("fetch", "--quiet", str(PACKED), "HEAD")
        commit = git.git("rev-parse", "FETCH_HEAD")
    message = git.git("show", "--no-patch", "--format=%B", commit)
    if MARK not in message.splitlines():
        return None
    title = message.splitlines()[0]
    return Upgrade("upgrade", "", title.rpartition(" ")[2], commit, title, message)


def retraining() -> Retraining | None:
    """Return what `retrain` proposes, None where its branch was removed or never made."""
    if not proposal.PROPOSAL.exists():
        return None
    told = read_json(proposal.PROPOSAL, made_by="retrain")
    branch, commit = told["branch"], told["commit"]
    if proposal.tip(branch) != commit:
        return None
    kind, name = branch.split("/", 1)
    return Retraining(kind, "", name, commit, told["title"], told)
