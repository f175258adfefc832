"""Train production's model anew when there is a reason, and propose what passes the gate.

Reasons are a partition newer than params.yaml's data.last, an alarm of `monitor` about the release
in production, or that release's age (retrain.max_age_days). The proposal is a branch
retrain/<partition> with one commit; report and verdict lie in build/retrain/. The checkout stays
as it is. Exits 0 with a proposal or without a reason, 1 with an alarm that training anew does not
answer, else as the gate: 1 fail, 3 inconclusive.
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

# Letters of what is said on the page of a run.
WIDTH = 300
STEPS = ("check-data", "train", "evaluate", "report", "gate")
KEPT = (REPORT, REPORT_PAGE, VERDICT, RECORD, DATA_CHECK)


@dataclass(frozen=True)
class Plan:
    """What is to be tried: why, on which partitions, from which commit, against which release."""

    base: str
    newer: tuple[str, ...]
    newest: str
    reasons: tuple[Trigger, ...]
    held: Release

    @property
    def unanswered(self) -> int:
        """How it ends without a proposal: somebody has to hear of an alarm."""
        return FAIL if any(reason.kind in triggers.ALARMS for reason in self.reasons) else PASS

    @property
    def message(self) -> str:
        """The message of the commit."""
        reasons = "\n".join(f"- {reason.kind}: {reason.reason}" for reason in self.reasons)
        return f"Retrain with {self.newest}\n\nProduction runs {self.held.release_id}.\n{reasons}"


def run(_: argparse.Namespace) -> int:
    """Look for a reason, train in a worktree, and leave a branch or say why not."""
    with proposal.alone():
        params = contract.params()
        held = environments.production().release
        if held is None:
            _conclude("production holds no release yet: there is nothing to train anew")
            return PASS
        plan = _plan(params, held)
        if not plan.reasons:
            allowed = params.retrain.max_age_days
            age = "any age" if allowed is None else f"at most {allowed} days"
            _conclude(f"no reason: {plan.newest} is the newest partition, no alarm, {age}")
            return PASS
        for reason in plan.reasons:
            say("retrain", f"{reason.kind}: {reason.reason}")
        return _propose(plan, params) if plan.newer else _without_new_data(plan, params)


def _conclude(text: str) -> None:
    """Say how it ended, on the page of a workflow's run too."""
    say("retrain", text)
    actions.summary(f"Retrain: {escape(text, WIDTH)}")


def _plan(params: Params, held: Release) -> Plan:
    _require_clean()
    _require_branch()
    with contract.team_code("data.partitions"):
        partitions = list(contract.team_data().partitions())
    newer = triggers.new_partitions(partitions, params.data.last)
    monitored = read_json(MONITOR, made_by="monitor") if MONITOR.exists() else None
    today = datetime.now(UTC).date()
    reasons = triggers.triggers(newer, monitored, held, params.retrain.max_age_days, today)
    return Plan(git.head(), tuple(newer), partitions[-1], tuple(reasons), held)


def _require_clean() -> None:
    different = git.changed(*record.SOURCES, ENVIRONMENTS.as_posix())
    if different:
        raise UserError(
            f"These files differ from HEAD: {', '.join(different)}. A proposal is made from a "
            "commit, so they would be no part of it. Commit them or put them back, then try again."
        )


def _require_branch() -> None:
    branch = git.git("symbolic-ref", "--quiet", "--short", "HEAD", check=False)
    if not branch:
        raise UserError(
            "HEAD is on no branch, so nobody knows what a proposal would be merged into. "
            "Check one out first, e.g. git switch main."
        )
    if branch.startswith(proposal.PREFIX):
        raise UserError(
            f"{branch} is checked out, a proposal itself. Check out the branch that proposals are "
            "merged into, e.g. git switch main."
        )


def _propose(plan: Plan, params: Params) -> int:
    name = proposal.branch_for(plan.newest)
    there = {branch.name: branch for branch in proposal.branches()}
    before = there.pop(name, None)
    others = [branch for branch in there.values() if branch.open]
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
    code, objection = (code, _why(code)) if code else _objection(plan.held)
    if objection:
        _conclude(f"nothing is proposed: {objection}")
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
    """Run the steps in the worktree, keep what they wrote, and return how they ended."""
    for outdated in (proposal.PROPOSAL, proposal.PACKED):
        outdated.unlink(missing_ok=True)
    say("retrain", f"trying it from {plan.base[:12]} in {tree}")
    code = proposal.run_steps(tree, store, *STEPS)
    proposal.keep(tree, KEPT)
    return code


def _kept(path: Path) -> dict[str, Any] | None:
    """Return what the steps left in build/retrain/ under a file's name."""
    path = proposal.HOME / path.name
    return read_json(path, made_by="retrain") if path.exists() else None


def _why(code: int) -> str:
    return triggers.refusal(code, _kept(VERDICT), _kept(DATA_CHECK))


def _objection(held: Release) -> tuple[int, str]:
    """Say why a model that passed is still not proposed, if so: it is there, or may not be."""
    digest = _kept(RECORD)["model"]["digest"]
    if triggers.twin(digest, [held]):
        return PASS, f"this is the very model of {held.release_id}, which production runs"
    barred = {entry.release_id: entry for entry in quarantine.entries()}
    known = {name: environments.catalogue_entry(name) for name in barred}
    for name in (name for name, release in known.items() if release is None):
        say("", f"{name} is in quarantine but not in the catalogue: it cannot be compared")
    same = triggers.twin(digest, filter(None, known.values()))
    if same:
        why = barred[same.release_id].reason
        return FAIL, f"this is the very model of {same.release_id}, in quarantine: {why}"
    return PASS, ""


def _write(plan: Plan, name: str, commit: str) -> None:
    """Write what a pull request is made from, before there is a branch to make one of."""
    made, verdict = _kept(RECORD), _kept(VERDICT)
    write_json(
        proposal.PROPOSAL,
        {
            "branch": name,
            "commit": commit,
            "base": plan.base,
            "title": plan.message.splitlines()[0],
            "partitions": list(plan.newer),
            "triggers": [asdict(reason) for reason in plan.reasons],
            "production": plan.held.release_id,
            "model_digest": made["model"]["digest"],
            "verdict": verdict["verdict"],
            "reason": verdict["reason"],
        },
    )


def _supersede(others: list[proposal.Branch], name: str) -> None:
    """Remove the open proposals that a newer one makes useless, but none that people worked on."""
    for branch in others:
        if branch.ours:
            say("", proposal.remove(branch, f"superseded by {name}"))
        else:
            say("", f"{branch.name} is open too, but holds commits of people: left alone")


def _without_new_data(plan: Plan, params: Params) -> int:
    """Train on the partitions in use: only if that gives another model there is something to do."""
    with proposal.worktree(plan.base) as tree:
        code = _try(plan, tree, Store(params.store))
    made = _kept(RECORD)
    if made is None:
        _conclude(f"nothing is proposed: {_why(code)}")
        return code
    if triggers.twin(made["model"]["digest"], [plan.held]):
        _conclude(f"nothing new to learn: {plan.newest} is the newest partition, and training")
        say("", f"on the same ones gives the model of {plan.held.release_id} again")
        if plan.unanswered:
            say("", "the alarm stays: bring newer data, or roll production back")
        return plan.unanswered
    if code:
        _conclude(f"nothing is proposed: {_why(code)}")
        return code
    say(
        "retrain", f"{plan.base[:12]} as it is gives another model than production's, and it passes"
    )
    say("", "nothing to merge: make check-data train evaluate gate package, then promote it")
    return plan.unanswered
