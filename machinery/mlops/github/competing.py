"""Which of two proposals counts: what is on a branch already, and what is open beside it."""

from datetime import datetime
from typing import Any

from mlops import git
from mlops.github import proposals, remote
from mlops.github.proposals import Move, Offer, Upgrade
from mlops.releases import environments
from mlops.releases.release import is_release_id, sequence
from mlops.releases.rules.evidence import check_evidence
from mlops.releases.rules.facts import Facts
from mlops.retraining import proposal
from mlops.upgrading.upgrade import MARK


def stands(mine: Offer, tip: str, base: str, now: datetime) -> bool:
    """Say whether the commit its branch is at proposes the same, and could be merged as well.

    A rule asks that a branch holds all of the base; people who bring it up to date may not approve.
    """
    if not isinstance(mine, Move):
        return True
    theirs, parent = proposals.move(tip), f"{tip}^"
    if theirs is None or not git.descends(base, parent):
        return False
    if not git.descends(parent, f"{mine.commit}^"):
        return False
    ours, found = mine.release.spec, theirs.release.spec
    fields = ("release_id", "supersedes", "rollback")
    if any(getattr(ours, field) != getattr(found, field) for field in fields):
        return False
    policy = environments.environment(mine.place).policy
    return not list(check_evidence(Facts(mine.place, theirs.release, policy, now)))


def rivals(mine: Offer, pulls: list[dict[str, Any]], base: str) -> list[dict[str, Any]]:
    """Return the pull requests among these that propose another thing in the place of this."""
    others = [pull for pull in pulls if pull["head"]["ref"] != mine.branch]
    # People may name a branch so as well; it is theirs.
    if isinstance(mine, Move):
        return [pull for pull in others if is_release_id(_name(mine, pull))]
    mark = MARK if isinstance(mine, Upgrade) else proposal.MARK
    return [pull for pull in others if _is_made(pull, base, mark)]


def _is_made(pull: dict[str, Any], base: str, mark: str) -> bool:
    """Return whether a pull request would bring a commit into the base that a program made."""
    tip = remote.fetch(pull["head"]["ref"])
    # Not its last one alone: a button on the page merges the base into a branch.
    brought = git.git("log", "--format=%B", f"{base}..{tip}") if tip else ""
    return mark in brought.splitlines()


def is_newer(mine: Offer, pull: dict[str, Any]) -> bool:
    """Say whether a rival promotes a newer release: then this run came late."""
    if mine.kind != "promote":
        return False
    ours, theirs = sequence(mine.name), sequence(_name(mine, pull))
    return theirs > ours or (theirs == ours and _is_built_later(mine, pull))


def _is_built_later(mine: Offer, pull: dict[str, Any]) -> bool:
    """Compare two releases packed from one catalogue, which gave both the same number."""
    tip = remote.fetch(pull["head"]["ref"])
    theirs = proposals.move(tip) if tip else None
    built = [m.release.promoted.source.commit for m in (mine, theirs) if isinstance(m, Move)]
    return len(built) == 2 and git.descends(built[1], built[0])


def _name(mine: Offer, pull: dict[str, Any]) -> str:
    return pull["head"]["ref"].removeprefix(mine.prefix)
