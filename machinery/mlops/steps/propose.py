"""Open a pull request for the promotion, rollback or upgrade that HEAD is, or for a retraining.

Its branch is promote/<environment>/<release>, rollback/<environment>/<release>,
upgrade/<version> or retrain/<partition>. Run again, it goes on where it was cut short: there is one
pull request, older ones of its kind and environment are closed. Without GitHub it says what it
would do.
"""

import argparse
import os
from datetime import UTC, datetime

from mlops import git
from mlops.ci import actions
from mlops.config.options import Option
from mlops.console import say
from mlops.errors import Refused, UserError
from mlops.github import competing, proposals, pull_text, remote
from mlops.github.api import GitHub, GitHubError
from mlops.github.proposals import Move, Offer, Retraining, Upgrade
from mlops.github.pulls import Pull, Pulls
from mlops.paths import REPORT
from mlops.releases import merge_checks
from mlops.releases.refusals import ON_BASE, refused
from mlops.retraining import proposal

OPTIONS = (Option("--env", "only what moves a release into this environment", "NAME"),)


def run(options: argparse.Namespace) -> None:
    """Propose what there is to propose, or say that there is nothing."""
    hub = _hub()
    base = hub.default_branch() if hub else None
    tip = remote.fetch(base) if hub else None
    if hub and tip is None:
        raise UserError(
            f"origin has no branch {base}, which {hub.repository} is to be merged into."
        )
    found = _found(options.env, tip)
    if found is None:
        say("propose", "nothing to propose: HEAD is no promotion or rollback that is to be merged")
    elif hub is None:
        say("propose", f"{found.branch} ({found.commit[:12]}) would be proposed: {found.title}")
        say("", "GITHUB_TOKEN is not set; without it the commit here is all there is")
    elif isinstance(found, Upgrade):
        _propose_upgrade(found, Pulls(hub, base))
    elif _is_due(found, base, tip):
        _propose(found, Pulls(hub, base))


def _hub() -> GitHub | None:
    """Return GitHub, None on a laptop without a token; in a workflow it is an error."""
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    if actions.inside() and not token:
        raise UserError("GITHUB_TOKEN is not set, and only with it can a pull request be opened.")
    return GitHub.here() if token else None


def _found(place: str | None, tip: str | None) -> Offer | None:
    """Return what HEAD or `retrain` offers beyond what the base holds already."""
    moved = proposals.move(git.head())
    if moved and place in (None, moved.place) and not (tip and git.descends(tip, moved.commit)):
        return moved
    if place:
        return None
    upgraded = proposals.upgrade(git.head())
    if upgraded:
        return None if tip and git.descends(tip, upgraded.commit) else upgraded
    return proposals.retraining()


def _is_due(found: Offer, base: str, tip: str) -> bool:
    """Say whether it would change the base; raises Refused where it may not."""
    parent = f"{found.commit}^"
    if not git.descends(tip, git.git("rev-parse", parent)):
        commit = git.git("rev-parse", "--short=12", parent)
        raise refused("nothing is proposed", [ON_BASE.refuse(commit=commit, base=base)])
    if isinstance(found, Move):
        there, refusals = merge_checks.move(found, tip)
    else:
        there, refusals = merge_checks.retraining(found, tip)
    if there:
        say("propose", f"{base} holds {there} already: nothing to propose")
    elif refusals:
        raise refused("nothing is proposed", refusals)
    return not there


def _propose(found: Offer, pulls: Pulls) -> None:
    others = competing.rivals(found, pulls.open_below(found.prefix), pulls.tracked)
    newer = next((pull for pull in others if competing.is_newer(found, pull)), None)
    if newer:
        say("propose", f"{newer['head']['ref']} is newer and open (#{newer['number']}): it stays")
        return
    pull = _opened(found, pulls)
    if pull is None:
        return
    actions.output("pull-request", str(pull["number"]))
    actions.summary(f"Proposed: [{found.title}]({pull['html_url']})")
    for other in others:
        done = pulls.close(other, pull_text.superseded(found, pull["number"]))
        words = f"closed: #{pull['number']} is newer" if done else "left open: people worked on it"
        say("", f"#{other['number']} {other['head']['ref']} {words}")


def _propose_upgrade(found: Upgrade, pulls: Pulls) -> None:
    """Propose an upgrade; Refused, with what a person does, where the token may not push it."""
    try:
        _propose(found, pulls)
    except UserError as error:
        if "workflow" not in str(error):
            raise
        text = (
            f"{found.title}: it changes files in .github/workflows/, and GitHub takes such a "
            "commit neither from GITHUB_TOKEN nor from an App without the permission `workflows`. "
            "Run `make upgrade` on your machine and push it, or give the App that permission."
        )
        actions.summary(f"Not proposed. {text}")
        raise Refused(f"nothing is proposed. {text}") from None


def _opened(found: Offer, pulls: Pulls) -> Pull | None:
    """Return the open pull request of its branch, made where there is none; None if people said no.

    The branch is never forced: one that proposes something outdated is closed and removed first.
    """
    there, before = remote.fetch(found.branch), pulls.of(found.branch)
    is_open = before is not None and before["state"] == "open"
    if there and not _stands(found, there, pulls):
        if is_open and not pulls.close(before, pull_text.recomputed(found)):
            say("propose", f"#{before['number']} is outdated, but people worked on it: left alone")
            return None
        if not is_open:
            remote.remove(found.branch, there)
        there, is_open, before = None, False, None
    if is_open:
        say("propose", f"#{before['number']} proposes it already: {before['html_url']}")
        return before
    if there and before:
        say("propose", f"#{before['number']} was closed. Reopen it, or delete {found.branch}")
        return None
    there = there or _pushed(found, pulls)
    try:
        pull = pulls.open(found.branch, found.title, _body(found, there, pulls.hub))
    except GitHubError as error:
        if "not permitted to create" not in str(error):
            raise
        return _leave_to_people(found, pulls)
    say("propose", f"#{pull['number']} {found.title}: {pull['html_url']}")
    return pull


def _pushed(found: Offer, pulls: Pulls) -> str:
    """Push the branch and return the commit it is at: another run may have been faster."""
    try:
        return _push(found, pulls)
    except remote.Behind:
        raise
    except UserError:
        there = remote.fetch(found.branch)
        if there is None or not _stands(found, there, pulls):
            raise
        return there


def _push(found: Offer, pulls: Pulls) -> str:
    """Push the commit of an offer; a retraining that took long, on the base as it is by now."""
    try:
        remote.push(found.commit, found.branch)
        return found.commit
    except remote.Behind:
        again = isinstance(found, Retraining) and _replayed(found, remote.fetch(pulls.base))
        if not again:
            raise
    remote.push(again, found.branch)
    return again


def _replayed(found: Offer, tip: str) -> str | None:
    commit = proposal.replay(found.commit, tip)
    if commit:
        text = f"{tip[:12]}, which changed the workflows meanwhile, as {commit[:12]}"
        say("propose", f"{found.commit[:12]} was made anew on {text}")
    return commit


def _stands(found: Offer, there: str, pulls: Pulls) -> bool:
    return competing.stands(found, there, pulls.tracked, datetime.now(UTC))


def _leave_to_people(found: Offer, pulls: Pulls) -> None:
    """Say how to open it: GitHub lets no workflow do so until the owner allows it."""
    address = f"{_page(pulls.hub)}/compare/{pulls.base}...{found.branch}?expand=1"
    why = "Settings, Actions, General: allow GitHub Actions to create pull requests"
    say("propose", f"{found.branch} is pushed; open its pull request at {address}")
    say("", f"that this be done for you: {why}, or let an App do it")
    actions.summary(f"[Open the pull request]({address}): {found.title}\n\n{why}, or use an App.")


def _page(hub: GitHub) -> str:
    return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{hub.repository}"


def _body(found: Offer, there: str, hub: GitHub) -> str:
    page = _page(hub)
    if isinstance(found, Upgrade):
        return pull_text.upgrade_body(found)
    if isinstance(found, Move):
        return pull_text.move_body(proposals.move(there), page, datetime.now(UTC))
    run = os.environ.get("GITHUB_RUN_ID")
    report = proposal.HOME / REPORT.name
    text = report.read_text("utf-8") if report.exists() else ""
    return pull_text.retraining_body(found, text, f"{page}/actions/runs/{run}" if run else None)
