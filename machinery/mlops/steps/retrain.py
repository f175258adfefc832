"""Retrain production's model if there is a reason, and propose a model that passes the gate.

Reasons are a partition newer than params.yaml's data.last, an alarm of `monitor` about the release
in production, or that release's age (retrain.max_age_days). The proposal is a branch
retrain/<partition> with one commit; report and verdict are in build/retrain/. The checkout stays
as it is. Exits 0 with a proposal or without a reason, 1 if retraining does not answer an alarm,
else as the gate: 1 fail, 3 inconclusive.
"""

import argparse
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops import git
from mlops.ci import actions
from mlops.cli import FAIL, PASS
from mlops.config.params import Params
from mlops.console import say
from mlops.errors import UserError
from mlops.files import read_json, write_json
from mlops.paths import (
    DATA_CHECK,
    ENVIRONMENTS,
    MONITOR,
    PARAMS,
    RECORD,
    REPORT,
    REPORT_PAGE,
    VERDICT,
)
from mlops.releases import environments, quarantine
from mlops.releases.release import Release
from mlops.releases.store import Store
from mlops.report.markdown import escape
from mlops.retraining import proposal, triggers
from mlops.retraining.triggers import Trigger
from mlops.training import contract, record

# Characters of a message on the page of a run.
WIDTH = 300
STEPS = ("check-data", "train", "evaluate", "report", "gate")
KEPT = (REPORT, REPORT_PAGE, VERDICT, RECORD, DATA_CHECK)


@dataclass(frozen=True)
class Plan:
    """What to try: reasons, partitions, the commit to start from, and production's release."""

    base: str
    newer: tuple[str, ...]
    newest: str
    reasons: tuple[Trigger, ...]
    release: Release

    @property
    def unanswered(self) -> int:
        """The exit code without a proposal: an alarm must not go unnoticed."""
        return FAIL if any(reason.kind in triggers.ALARMS for reason in self.reasons) else PASS

    @property
    def message(self) -> str:
        """The message of the proposal's commit."""
        reasons = "\n".join(f"- {reason.kind}: {reason.reason}" for reason in self.reasons)
        return (
            f"Retrain with {self.newest}\n\nProduction runs {self.release.release_id}.\n{reasons}"
        )


def run(_: argparse.Namespace) -> int:
    """Look for a reason, train in a worktree, and make a branch or report why not."""
    with proposal.lock():
        params = contract.params()
        release = environments.production().release
        if release is None:
            _conclude("production holds no release yet: there is nothing to retrain")
            return PASS
        plan = _plan(params, release)
        if not plan.reasons:
            allowed = params.retrain.max_age_days
            age = "any age" if allowed is None else f"at most {allowed} days"
            _conclude(f"no reason: {plan.newest} is the newest partition, no alarm, {age}")
            return PASS
        for reason in plan.reasons:
            say("retrain", f"{reason.kind}: {reason.reason}")
        return _propose(plan, params) if plan.newer else _without_new_data(plan, params)


def _conclude(text: str) -> None:
    """Print the result, also on the page of a workflow's run."""
    say("retrain", text)
    actions.summary(f"Retrain: {escape(text, WIDTH)}")


def _plan(params: Params, release: Release) -> Plan:
    _require_clean()
    _require_branch()
    with contract.team_code("data.partitions"):
        partitions = list(contract.team_data().partitions())
    newer = triggers.new_partitions(partitions, params.data.last)
    monitored = read_json(MONITOR, made_by="monitor") if MONITOR.exists() else None
    today = datetime.now(UTC).date()
    reasons = triggers.triggers(newer, monitored, release, params.retrain.max_age_days, today)
    return Plan(git.head(), tuple(newer), partitions[-1], tuple(reasons), release)


def _require_clean() -> None:
    different = git.changed(*record.SOURCES, ENVIRONMENTS.as_posix())
    if different:
        raise UserError(
            f"These files differ from HEAD: {', '.join(different)}. A proposal starts from a "
            "commit, so it would lack them. Commit or restore them, then try again."
        )


def _require_branch() -> None:
    branch = git.git("symbolic-ref", "--quiet", "--short", "HEAD", check=False)
    if not branch:
        raise UserError(
            "HEAD is on no branch, so a proposal has no branch to be merged into. "
            "Check one out first, e.g. git switch main."
        )
    if branch.startswith(proposal.PREFIX):
        raise UserError(
            f"{branch} is checked out, and it is a proposal itself. Check out the branch that "
            "proposals are merged into, e.g. git switch main."
        )


def _propose(plan: Plan, params: Params) -> int:
    name = proposal.branch_for(plan.newest)
    branches = {branch.name: branch for branch in proposal.branches()}
    before = branches.pop(name, None)
    others = [branch for branch in branches.values() if branch.open]
    if before:
        proposal.require_ours(before)
        if before.open and before.parents == (plan.base,):
            say("retrain", f"{name} proposes it already ({before.tip[:12]})")
            _supersede(others, name)
            return PASS
    text = triggers.adopt(PARAMS.read_text(encoding="utf-8"), plan.newest)
    with proposal.worktree(plan.base) as tree:
        commit = proposal.commit(tree, {PARAMS: text}, plan.message)
        code = _try(plan, tree, Store(params.store))
    code, reason = (code, _failure(code)) if code else _rejection(plan.release)
    if reason:
        _conclude(f"nothing is proposed: {reason}")
        if before and before.open:
            say("", proposal.remove(before, "it was made for an older commit"))
        return code
    _write(plan, name, commit)
    proposal.propose(name, commit)
    actions.output("branch", name)
    _conclude(f"{name} proposes it ({commit[:12]}): git diff HEAD {name}")
    say("", f"report: {proposal.HOME / REPORT.name}; take it with git merge {name}")
    _supersede(others, name)
    return PASS


def _try(plan: Plan, tree: Path, store: Store) -> int:
    """Run the steps in the worktree, keep their files, and return their exit code."""
    for outdated in (proposal.PROPOSAL, proposal.PACKED):
        outdated.unlink(missing_ok=True)
    say("retrain", f"trying it from {plan.base[:12]} in {tree}")
    code = proposal.run_steps(tree, store, *STEPS)
    proposal.keep(tree, KEPT)
    return code


def _result(path: Path) -> dict[str, Any] | None:
    """Return the content of a file that the steps left in build/retrain/."""
    path = proposal.HOME / path.name
    return read_json(path, made_by="retrain") if path.exists() else None


def _failure(code: int) -> str:
    return triggers.refusal(code, _result(VERDICT), _result(DATA_CHECK))


def _rejection(release: Release) -> tuple[int, str]:
    """Return exit code and reason if a model that passed is still not proposed, else (0, "").

    Production may run it already, or it may be in quarantine.
    """
    digest = _result(RECORD)["model"]["digest"]
    if triggers.same_model(digest, [release]):
        return PASS, f"this is the very model of {release.release_id}, which production runs"
    entries = {entry.release_id: entry for entry in quarantine.entries()}
    quarantined = {name: environments.catalogue_entry(name) for name in entries}
    for name in (name for name, entry in quarantined.items() if entry is None):
        say("", f"{name} is in quarantine but not in the catalogue: it cannot be compared")
    same = triggers.same_model(digest, filter(None, quarantined.values()))
    if same:
        why = entries[same.release_id].reason
        return FAIL, f"this is the very model of {same.release_id}, in quarantine: {why}"
    return PASS, ""


def _write(plan: Plan, name: str, commit: str) -> None:
    """Write the content of the pull request, before the branch exists."""
    training, verdict = _result(RECORD), _result(VERDICT)
    write_json(
        proposal.PROPOSAL,
        {
            "branch": name,
            "commit": commit,
            "base": plan.base,
            "title": plan.message.splitlines()[0],
            "partitions": list(plan.newer),
            "triggers": [asdict(reason) for reason in plan.reasons],
            "production": plan.release.release_id,
            "model_digest": training["model"]["digest"],
            "verdict": verdict["verdict"],
            "reason": verdict["reason"],
        },
    )


def _supersede(others: list[proposal.Branch], name: str) -> None:
    """Remove the open proposals that a newer one replaces, unless people committed to them."""
    for branch in others:
        if branch.ours:
            say("", proposal.remove(branch, f"superseded by {name}"))
        else:
            say("", f"{branch.name} is open too, but holds commits of people: left alone")


def _without_new_data(plan: Plan, params: Params) -> int:
    """Train on the partitions in use; another model means that main was never released."""
    with proposal.worktree(plan.base) as tree:
        code = _try(plan, tree, Store(params.store))
    training = _result(RECORD)
    if training is None:
        _conclude(f"nothing is proposed: {_failure(code)}")
        return code
    if triggers.same_model(training["model"]["digest"], [plan.release]):
        _conclude(f"nothing new to learn: {plan.newest} is the newest partition, and training")
        say("", f"on the same ones gives the model of {plan.release.release_id} again")
        if plan.unanswered:
            say("", "the alarm stays: bring newer data, or roll production back")
        return plan.unanswered
    if code:
        _conclude(f"nothing is proposed: {_failure(code)}")
        return code
    say("retrain", f"{plan.base[:12]} gives another model than production's, and it passes")
    say("", "nothing to merge: make check-data train evaluate gate package, then promote it")
    return plan.unanswered
