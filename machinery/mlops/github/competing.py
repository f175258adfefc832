"""Compare a proposal with its own branch on GitHub, and with other open pull requests."""

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


def is_current(mine: Offer, tip: str, base: str, now: datetime) -> bool:
    """Return whether `tip`, the commit of its branch, proposes the same and can be merged.

    The ruleset requires a branch that holds the whole base, and whoever updates a branch may not
    approve it. So a branch that is behind the base is not current.
    """
    if not isinstance(mine, Move):
        return True
    pushed, parent = proposals.move(tip), f"{tip}^"
    if pushed is None or not git.descends(base, parent):
        return False
    if not git.descends(parent, f"{mine.commit}^"):
        return False
    ours, theirs = mine.release.spec, pushed.release.spec
    fields = ("release_id", "supersedes", "rollback")
    if any(getattr(ours, field) != getattr(theirs, field) for field in fields):
        return False
    policy = environments.environment(mine.environment).policy
    return not list(check_evidence(Facts(mine.environment, pushed.release, policy, now)))


def competing_pulls(mine: Offer, pulls: list[dict[str, Any]], base: str) -> list[dict[str, Any]]:
    """Return the open pull requests that compete with this proposal."""
    others = [pull for pull in pulls if pull["head"]["ref"] != mine.branch]
    # A person may use the same prefix for a branch of their own: leave that one alone.
    if isinstance(mine, Move):
        return [pull for pull in others if is_release_id(_name(mine, pull))]
    mark = MARK if isinstance(mine, Upgrade) else proposal.MARK
    return [pull for pull in others if _is_automatic(pull, base, mark)]


def _is_automatic(pull: dict[str, Any], base: str, mark: str) -> bool:
    """Return whether a pull request has a commit with the mark of an automatic proposal."""
    tip = remote.fetch(pull["head"]["ref"])
    # Look at every commit: `Update branch` on the page adds a merge commit as the last one.
    messages = git.git("log", "--format=%B", f"{base}..{tip}") if tip else ""
    return mark in messages.splitlines()


def is_newer(mine: Offer, pull: dict[str, Any]) -> bool:
    """Return whether a competing pull request promotes a newer release than this one."""
    if mine.kind != "promote":
        return False
    ours, theirs = sequence(mine.name), sequence(_name(mine, pull))
    return theirs > ours or (theirs == ours and _is_built_later(mine, pull))


def _is_built_later(mine: Offer, pull: dict[str, Any]) -> bool:
    """Compare by commit: two releases packed from one catalogue have the same number."""
    tip = remote.fetch(pull["head"]["ref"])
    theirs = proposals.move(tip) if tip else None
    built = [m.release.promoted.source.commit for m in (mine, theirs) if isinstance(m, Move)]
    return len(built) == 2 and git.descends(built[1], built[0])


def _name(mine: Offer, pull: dict[str, Any]) -> str:
    return pull["head"]["ref"].removeprefix(mine.prefix)
