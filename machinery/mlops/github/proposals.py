"""Proposals: a commit with a promotion, a rollback or an upgrade, or a retraining."""

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
    """A commit to propose, with the branch and the title of its pull request."""

    kind: str
    environment: str
    name: str
    commit: str
    title: str

    @property
    def prefix(self) -> str:
        """Branch prefix shared by the proposals this one supersedes."""
        return "/".join(filter(None, (self.kind, self.environment))) + "/"

    @property
    def branch(self) -> str:
        """The branch of the pull request."""
        return self.prefix + self.name


@dataclass(frozen=True)
class Move(Offer):
    """A promotion or rollback: `release` is the new release of the environment."""

    release: Release

    @property
    def skipped(self) -> int:
        """The number of releases between the old and the new one that never ran here."""
        previous = self.release.spec.supersedes
        ends = sorted((sequence(previous) if previous else 0, sequence(self.release.release_id)))
        return sum(ends[0] < sequence(release_id) < ends[1] for release_id in catalogue_ids())


@dataclass(frozen=True)
class Retraining(Offer):
    """A retrained model; `details` is the content of build/retrain/proposal.json."""

    details: dict[str, Any]


def move(commit: str) -> Move | None:
    """Return the promotion or rollback in a commit, None for any other commit."""
    names = git.git("diff-tree", "--no-commit-id", "--name-only", "-r", commit).splitlines()
    matches = map(_RELEASE_FILE.fullmatch, names)
    environments = [match[1] for match in matches if match]
    release = release_at(commit, environments[0]) if len(environments) == 1 else None
    if release is None:
        return None
    kind = "rollback" if release.spec.rollback else "promote"
    title = git.git("show", "--no-patch", "--format=%s", commit)
    return Move(kind, environments[0], release.release_id, commit, title, release)


@dataclass(frozen=True)
class Upgrade(Offer):
    """A newer machinery: the commit that `make upgrade` created."""

    message: str


def upgrade(commit: str) -> Upgrade | None:
    """Return the upgrade in a commit or in the file of another job, None if there is none."""
    if PACKED.exists():
        # The job that upgrades runs the newer machinery, so it may not push: it packs the commit.
        git.git("fetch", "--quiet", str(PACKED), "HEAD")
        commit = git.git("rev-parse", "FETCH_HEAD")
    message = git.git("show", "--no-patch", "--format=%B", commit)
    if MARK not in message.splitlines():
        return None
    title = message.splitlines()[0]
    return Upgrade("upgrade", "", title.rpartition(" ")[2], commit, title, message)


def retraining() -> Retraining | None:
    """Return the proposal of `retrain`, None if its branch was removed or never created."""
    if not proposal.PROPOSAL.exists():
        return None
    details = read_json(proposal.PROPOSAL, made_by="retrain")
    branch, commit = details["branch"], details["commit"]
    if proposal.tip(branch) != commit:
        return None
    kind, name = branch.split("/", 1)
    return Retraining(kind, "", name, commit, details["title"], details)
