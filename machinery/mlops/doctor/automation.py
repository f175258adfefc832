"""Checks of automation: permissions, the App, variables, schedules, runners, CML."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mlops.ci import plan
from mlops.doctor.context import APPLY, Context
from mlops.doctor.findings import GuardResult, bad, note, ok, unknown
from mlops.doctor.tree import WORKFLOWS, workflows
from mlops.errors import UserError
from mlops.github.differences import holds
from mlops.github.settings import KEYS

APP, KEY, RUNNERS = "APP_ID", "APP_PRIVATE_KEY", ("GPU_RUNNER", "RUNNER")
STORE, HOSTED = "MLOPS_STORE", "oci://ghcr.io/"
# The owners of GitHub's own actions, and those whom GitHub has verified.
OWN, VERIFIED = ("actions", "github"), ("docker",)
# Branches to which nobody pushes without approval.
PROTECTED = ("refs/heads/main", "refs/heads/staging")
ALLOW = "Settings, Actions, General (of the organisation): allow them, docs/github.md"
_USES = re.compile(r"(?m)^\s*(?:- )?uses: ([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@")
POST = Path(".github/actions/post-report/action.yml")
CML = "iterative/cml"


def permissions(context: Context) -> Iterator[GuardResult]:
    """Check that Actions is on, that tokens have no extra permission and strangers' runs wait."""
    if not (context.hub.get("actions/permissions") or {}).get("enabled", False):
        yield bad("Actions", "switched off", "Settings, Actions, General")
        return
    expected = context.settings.actions.model_dump()
    for guard, name, key, why in (
        ("default token", "workflow", "default_workflow_permissions", "every job may write"),
        ("may propose", "workflow", "can_approve_pull_request_reviews", "no workflow may open one"),
        (
            "runs of strangers",
            "fork-pr-contributor-approval",
            "approval_policy",
            "they run without approval",
        ),
    ):
        actual = (context.hub.get(f"actions/permissions/{name}") or {}).get(key)
        if actual is None:
            yield unknown(guard, "GitHub does not show it", "Settings, Actions, General")
        elif not holds(actual, expected[key]):
            yield bad(guard, f"{key} is {actual}: {why}", APPLY)
        else:
            yield ok(guard, str(actual).replace("_", " "))


def actions(context: Context) -> Iterator[GuardResult]:
    """Check that the organisation allows every action that the workflows use."""
    used = sorted(set(_USES.findall("\n".join(_texts()))))
    allowed = (context.hub.get("actions/permissions") or {}).get("allowed_actions", "all")
    if allowed == "local_only":
        yield bad("actions allowed", f"no external ones: {', '.join(used)} cannot run", ALLOW)
        return
    refused = []
    if allowed == "selected":
        listed = context.hub.get("actions/permissions/selected-actions")
        if listed is None:
            yield unknown("actions allowed", "GitHub does not show the list", ALLOW)
            return
        refused = [name for name in used if not _is_allowed(name, listed)]
    if refused:
        yield bad(
            "actions allowed", f"{', '.join(refused)}: not in the list of allowed ones", ALLOW
        )
    else:
        yield ok("actions allowed", f"{', '.join(used)}")


def _texts() -> Iterator[str]:
    for folder in (WORKFLOWS, WORKFLOWS.parent / "actions"):
        yield from (file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.yml")))


def _is_allowed(name: str, listed: dict[str, Any]) -> bool:
    """Return whether a list allows an action, by its owner or by a pattern."""
    owner = name.partition("/")[0]
    if owner in OWN:
        allowed = listed.get("github_owned_allowed", False)
    else:
        allowed = owner in VERIFIED and listed.get("verified_allowed", False)
    patterns = [one.partition("@")[0] for one in listed.get("patterns_allowed", ())]
    return allowed or any(fnmatch(name, one) for one in patterns)


def secrets(context: Context) -> Iterator[GuardResult]:
    """Check that only the environment for secrets holds the secrets."""
    names = {secret["name"] for secret in context.hub.get_all("actions/secrets")}
    if wide := sorted(names & set(context.settings.secrets)):
        text = f"{', '.join(wide)}: a workflow on any branch can read a secret of the repository"
        remedy = f"put it into the environment {KEYS}, delete it from the repository's secrets"
        yield bad("secrets", text, f"{remedy}, and make a new key: docs/github.md")
    else:
        protected = sorted(_environment_secrets(context) & set(context.settings.secrets))
        yield ok("secrets", f"in the environment {KEYS}: {', '.join(protected) or 'none'}")


def _environment_secrets(context: Context) -> set[str]:
    """Return the names of the secrets in the environment for secrets."""
    if context.hub.get(f"environments/{KEYS}") is None:
        return set()
    return {secret["name"] for secret in context.hub.get_all(f"environments/{KEYS}/secrets")}


def app(context: Context) -> Iterator[GuardResult]:
    """Report whether a GitHub App opens pull requests, and the consequence without one."""
    has_id, has_key = APP in context.variables, KEY in _environment_secrets(context)
    if has_id and has_key:
        yield ok("GitHub App", "it opens proposals, whose checks start by themselves")
    elif has_id or has_key:
        where = f" in the environment {KEYS}"
        missing = f"the secret {KEY}{where}" if has_id else f"the variable {APP}"
        yield bad(
            "GitHub App", f"{missing} is missing", "set both, or neither: machinery/docs/github.md"
        )
    else:
        text = "none: the checks of a workflow's pull request wait for one click"
        yield note("GitHub App", text, "machinery/docs/github.md shows how to create one")


def variables(context: Context) -> Iterator[GuardResult]:
    """Check that each variable has a valid value."""
    for name, variable in context.settings.variables.items():
        value = context.variables.get(name)
        if value is None:
            yield note(f"variable {name}", f"not set. {variable.meaning}")
        elif not re.fullmatch(variable.pattern, value.strip()) or not _understood(name, value):
            yield bad(
                f"variable {name}", f"{value!r} is not understood", f"such as {variable.example}"
            )
        elif name == STORE and not value.startswith(HOSTED) and "RUNNER" not in context.variables:
            text = f"{value}: a hosted runner has the credentials of ghcr.io and no others"
            yield bad(
                f"variable {name}",
                text,
                "set RUNNER, to one that has them: machinery/docs/github.md",
            )
        else:
            yield ok(f"variable {name}", value)


def _understood(name: str, value: str) -> bool:
    try:
        return name not in RUNNERS or bool(plan.training_runner(value, trusted=True))
    except UserError:
        return False


def schedules(context: Context) -> Iterator[GuardResult]:
    """Check that schedules still run; GitHub stops them after 60 days without a commit."""
    for file, workflow in workflows().items():
        # YAML 1.1 reads the key `on` as true. A name or a list there has no schedule.
        started = workflow.get("on") or workflow.get(True)
        crons = isinstance(started, dict) and started.get("schedule")
        if not crons:
            continue
        guard, state = f"schedule {file}", context.hub.get(f"actions/workflows/{file}")
        if state is None:
            yield bad(guard, "GitHub does not know the workflow", f"push it to {context.branch}")
        elif state["state"] != "active":
            yield bad(guard, state["state"].replace("_", " "), f"gh workflow enable {file}")
        else:
            path = f"actions/workflows/{file}/runs?event=schedule"
            yield _last(guard, context.hub.get(f"{path}&per_page=1"), crons)


def _last(guard: str, runs: dict[str, Any], crons: list[dict[str, str]]) -> GuardResult:
    if not runs["workflow_runs"]:
        return note(
            guard,
            "its schedule has not started it yet",
            "run this again after the next scheduled time",
        )
    at = datetime.fromisoformat(runs["workflow_runs"][0]["created_at"])
    allowed = min(_patience(one["cron"]) for one in crons)
    text = f"last started by its schedule on {at:%Y-%m-%d %H:%M} UTC"
    if datetime.now(UTC) - at > allowed:
        return bad(
            guard, text, "look under Actions whether the workflow is disabled or GitHub is late"
        )
    return ok(guard, text)


def _patience(cron: str) -> timedelta:
    """Return when a run counts as missed: after twice its period, because GitHub runs late."""
    _, hour, day, month, weekday = cron.split()
    if month != "*":
        return timedelta(days=2 * 366)
    if day != "*":
        return timedelta(days=62)
    if weekday != "*":
        return timedelta(days=14)
    return timedelta(days=2) if hour.isdecimal() else timedelta(days=1)


def runner_group(context: Context) -> Iterator[GuardResult]:
    """Check that a self-hosted runner accepts jobs of chosen workflows only."""
    if not set(RUNNERS) & set(context.variables):
        yield note("runner group", "no self-hosted runner is used")
        return
    if context.about["owner"]["type"] != "Organization":
        text = "a person's repository has none: every workflow on a branch here reaches the runner"
        yield note(
            "runner group", text, "move the repository to an organisation: machinery/docs/gpu.md"
        )
        return
    name = context.hub.repository.partition("/")[2]
    path = f"/orgs/{context.hub.owner}/actions/runner-groups?visible_to_repository={name}"
    groups = context.hub.get_all(path)
    wide = [one["name"] for one in groups if not one.get("restricted_to_workflows")]
    if wide:
        text = f"{', '.join(wide)}: any workflow here may use its runners"
        yield bad("runner group", text, "restrict it to chosen workflows: machinery/docs/gpu.md")
        return
    yield ok("runner group", f"{len(groups)}, each for chosen workflows")
    loose = [name for one in groups for name in one.get("selected_workflows", ()) if _loose(name)]
    if loose and "RUNNER" in context.variables:
        # A GPU runner also serves pull requests, which run the workflows of their own branches.
        result = note if "GPU_RUNNER" in context.variables else bad
        text = (
            f"{', '.join(loose)}: any branch may change it, and it runs with the rights of RUNNER"
        )
        yield result(
            "runner branch", text, "choose them at refs/heads/main: machinery/docs/deploy.md"
        )


def _loose(workflow: str) -> bool:
    ref = workflow.partition("@")[2]
    return not ref.endswith(PROTECTED) and not re.fullmatch("[0-9a-f]{40}", ref)


def cml(context: Context) -> Iterator[GuardResult]:
    """Check that the pinned commit of CML exists."""
    match = re.search(r"(?m)^\s+ref: ([0-9a-f]{40})\b", POST.read_text(encoding="utf-8"))
    if match is None:
        yield bad("CML", f"{POST} names no commit", f"git checkout HEAD -- {POST}")
    elif context.hub.get(f"/repos/{CML}/commits/{match[1]}") is None:
        text = f"{CML} has no commit {match[1][:12]}: reports are posted by gh instead"
        yield bad("CML", text, f"pin a commit it has in {POST}")
    else:
        yield ok("CML", f"{CML} at {match[1][:12]}")
