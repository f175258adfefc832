"""Open a pull request for the promotion, rollback or upgrade that HEAD is, or for a retraining.

Its branch is promote/<environment>/<release>, rollback/<environment>/<release>,
upgrade/<version> or retrain/<partition>. There is one pull request; older ones of its kind and
environment are closed. Run again after an interruption, it continues. Without GitHub it prints what
it would do.
"""

import argparse
import os
from datetime import UTC, datetime

from mlops import git
from mlops.ci import actions
from mlops.config.options import Option
from mlops.console import say
from mlops.errors import Refused, UserError
from mlops.github import competing, mergeable, proposals, pull_text, remote
from mlops.github.api import GitHub, GitHubError
from mlops.github.proposals import Move, Offer, Retraining, Upgrade
from mlops.github.pulls import Pull, Pulls
from mlops.paths import REPORT
from mlops.releases.rules.rule import require_none
from mlops.releases.rules.scope import check_on_base
from mlops.retraining import proposal

OPTIONS = (Option("--env", "only a promotion or rollback of this environment", "NAME"),)


def run(options: argparse.Namespace) -> None:
    """Open the pull request, or report that there is nothing to propose."""
    hub = _hub()
    base = hub.default_branch() if hub else None
    tip = remote.fetch(base) if hub else None
    if hub and tip is None:
        raise UserError(f"origin has no branch {base}, the default branch of {hub.repository}.")
    offer = _offer(options.env, tip)
    if offer is None:
        say("propose", "nothing to propose: HEAD is no promotion or rollback that is to be merged")
    elif hub is None:
        say("propose", f"{offer.branch} ({offer.commit[:12]}) would be proposed: {offer.title}")
        say("", "GITHUB_TOKEN is not set, so no pull request is opened; the commit stays here")
    elif isinstance(offer, Upgrade):
        _propose_upgrade(offer, Pulls(hub, base))
    elif _is_due(offer, base, tip):
        _propose(offer, Pulls(hub, base))


def _hub() -> GitHub | None:
    """Return GitHub, None on a laptop without a token; UserError in a workflow without one."""
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    if actions.inside() and not token:
        raise UserError("GITHUB_TOKEN is not set. Set it: a pull request cannot be opened without.")
    return GitHub.here() if token else None


def _offer(environment: str | None, tip: str | None) -> Offer | None:
    """Return the proposal of HEAD, else that of `retrain`, unless the base holds it already."""
    move = proposals.move(git.head())
    is_asked = move is not None and environment in (None, move.environment)
    if is_asked and not (tip and git.descends(tip, move.commit)):
        return move
    if environment:
        return None
    upgrade = proposals.upgrade(git.head())
    if upgrade:
        return None if tip and git.descends(tip, upgrade.commit) else upgrade
    return proposals.retraining()


def _is_due(offer: Offer, base: str, tip: str) -> bool:
    """Return whether it would change the base; raises Refused if a rule forbids it."""
    parent = git.git("rev-parse", f"{offer.commit}^")
    is_on_base = git.descends(tip, parent)
    require_none("nothing is proposed", check_on_base(parent, base, is_on_base))
    if isinstance(offer, Move):
        merged, refusals = mergeable.judge_move(offer, tip)
    else:
        merged, refusals = mergeable.judge_retraining(offer, tip)
    if merged:
        say("propose", f"{base} holds {merged} already: nothing to propose")
        return False
    require_none("nothing is proposed", refusals)
    return True


def _propose(offer: Offer, pulls: Pulls) -> None:
    others = competing.competing_pulls(offer, pulls.open_below(offer.prefix), pulls.tracked)
    newer = next((pull for pull in others if competing.is_newer(offer, pull)), None)
    if newer:
        say("propose", f"{newer['head']['ref']} is newer and open (#{newer['number']}): it stays")
        return
    pull = _open(offer, pulls)
    if pull is None:
        return
    actions.output("pull-request", str(pull["number"]))
    actions.summary(f"Proposed: [{offer.title}]({pull['html_url']})")
    for other in others:
        is_closed = pulls.close(other, pull_text.superseded(offer, pull["number"]))
        newest = f"closed: #{pull['number']} is newer"
        result = newest if is_closed else "left open: people worked on it"
        say("", f"#{other['number']} {other['head']['ref']} {result}")


def _propose_upgrade(offer: Upgrade, pulls: Pulls) -> None:
    """Propose an upgrade; Refused, with what a person does, where the token may not push it."""
    try:
        _propose(offer, pulls)
    except UserError as error:
        if "workflow" not in str(error):
            raise
        text = (
            f"{offer.title}: it changes files in .github/workflows/, and GitHub takes such a "
            "commit neither from GITHUB_TOKEN nor from an App without the permission `workflows`. "
            "Run `make upgrade` on your machine and push it, or give the App that permission."
        )
        actions.summary(f"Not proposed. {text}")
        raise Refused(f"nothing is proposed. {text}") from None


def _open(offer: Offer, pulls: Pulls) -> Pull | None:
    """Return the open pull request of the branch, a new one if needed; None if people decide.

    The branch is never forced: an outdated proposal is closed and its branch removed first.
    """
    tip, pull = remote.fetch(offer.branch), pulls.of(offer.branch)
    is_open = pull is not None and pull["state"] == "open"
    if tip and not _is_current(offer, tip, pulls):
        if is_open and not pulls.close(pull, pull_text.recomputed(offer)):
            say("propose", f"#{pull['number']} is outdated, but people worked on it: left alone")
            return None
        if not is_open:
            remote.remove(offer.branch, tip)
        tip, is_open, pull = None, False, None
    if is_open:
        say("propose", f"#{pull['number']} proposes it already: {pull['html_url']}")
        return pull
    if tip and pull:
        say("propose", f"#{pull['number']} was closed. Reopen it, or delete {offer.branch}")
        return None
    return _create(offer, tip or _publish(offer, pulls), pulls)


def _create(offer: Offer, tip: str, pulls: Pulls) -> Pull | None:
    """Open a new pull request; None if GitHub allows no workflow to do so."""
    try:
        pull = pulls.open(offer.branch, offer.title, _body(offer, tip, pulls.hub))
    except GitHubError as error:
        if "not permitted to create" not in str(error):
            raise
        return _leave_to_people(offer, pulls)
    say("propose", f"#{pull['number']} {offer.title}: {pull['html_url']}")
    return pull


def _publish(offer: Offer, pulls: Pulls) -> str:
    """Push the branch and return its commit, which another run may have pushed before."""
    try:
        return _push(offer, pulls)
    except remote.Behind:
        raise
    except UserError:
        tip = remote.fetch(offer.branch)
        if tip is None or not _is_current(offer, tip, pulls):
            raise
        return tip


def _push(offer: Offer, pulls: Pulls) -> str:
    """Push the commit of an offer; a retraining that took long, on the base as it is by now."""
    try:
        remote.push(offer.commit, offer.branch)
        return offer.commit
    except remote.Behind:
        again = isinstance(offer, Retraining) and _replayed(offer, remote.fetch(pulls.base))
        if not again:
            raise
    remote.push(again, offer.branch)
    return again


def _replayed(offer: Offer, tip: str) -> str | None:
    commit = proposal.replay(offer.commit, tip)
    if commit:
        text = f"{tip[:12]}, which changed the workflows meanwhile, as {commit[:12]}"
        say("propose", f"{offer.commit[:12]} was made anew on {text}")
    return commit


def _is_current(offer: Offer, tip: str, pulls: Pulls) -> bool:
    return competing.is_current(offer, tip, pulls.tracked, datetime.now(UTC))


def _leave_to_people(offer: Offer, pulls: Pulls) -> None:
    """Print how to open it: GitHub allows no workflow to do so until the owner permits it."""
    address = f"{_page(pulls.hub)}/compare/{pulls.base}...{offer.branch}?expand=1"
    how = "Settings, Actions, General: allow GitHub Actions to create pull requests"
    say("propose", f"{offer.branch} is pushed; open its pull request at {address}")
    say("", f"to have this done for you: {how}, or use an App")
    actions.summary(f"[Open the pull request]({address}): {offer.title}\n\n{how}, or use an App.")


def _page(hub: GitHub) -> str:
    return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{hub.repository}"


def _body(offer: Offer, tip: str, hub: GitHub) -> str:
    page = _page(hub)
    if isinstance(offer, Upgrade):
        return pull_text.upgrade_body(offer)
    if isinstance(offer, Move):
        return pull_text.move_body(proposals.move(tip), page, datetime.now(UTC))
    run = os.environ.get("GITHUB_RUN_ID")
    report = proposal.HOME / REPORT.name
    text = report.read_text("utf-8") if report.exists() else ""
    return pull_text.retraining_body(offer, text, f"{page}/actions/runs/{run}" if run else None)
