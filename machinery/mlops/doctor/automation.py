"""Guards of what runs by itself: permissions, the App, variables, schedules, runners, CML."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mlops.ci import plan
from mlops.doctor.context import APPLY, Seen
from mlops.doctor.findings import Finding, bad, note, ok, unknown
from mlops.doctor.tree import WORKFLOWS, workflows
from mlops.errors import UserError
from mlops.github.differences import holds
from mlops.github.settings import KEYS

APP, KEY, RUNNERS = "APP_ID", "APP_PRIVATE_KEY", ("GPU_RUNNER", "RUNNER")
STORE, HOSTED = "MLOPS_STORE", "oci://ghcr.io/"
# Whose actions are GitHub's own, and whose creator it has verified.
OWN, VERIFIED = ("actions", "github"), ("docker",)
# Branches that nobody writes to by themselves.
PROTECTED = ("refs/heads/main", "refs/heads/staging")
ALLOW = "Settings, Actions, General (of the organisation): allow them, docs/github.md"
_USES = re.compile(r"(?m)^\s*(?:- )?uses: ([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@")
POST = Path(".github/actions/post-report/action.yml")
CML = "iterative/cml"


def permissions(seen: Seen) -> Iterator[Finding]:
    """Actions run; jobs get what they ask for and no more; strangers' runs wait."""
    if not (seen.hub.get("actions/permissions") or {}).get("enabled", False):
        yield bad("Actions", "switched off", "Settings, Actions, General")
        return
    wanted = seen.settings.actions.model_dump()
    for guard, name, key, why in (
        ("default token", "workflow", "default_workflow_permissions", "every job may write"),
        ("may propose", "workflow", "can_approve_pull_request_reviews", "no workflow may open one"),
        ("runs of strangers", "fork-pr-contributor-approval", "approval_policy", "too soon"),
    ):
        found = (seen.hub.get(f"actions/permissions/{name}") or {}).get(key)
        if found is None:
            yield unknown(guard, "GitHub does not say", "Settings, Actions, General")
        elif not holds(found, wanted[key]):
            yield bad(guard, f"{key} is {found}: {why}", APPLY)
        else:
            yield ok(guard, str(found).replace("_", " "))


def actions(seen: Seen) -> Iterator[Finding]:
    """Every action that the workflows use may be used here: an organisation may allow some only."""
    used = sorted(set(_USES.findall("\n".join(_texts()))))
    allowed = (seen.hub.get("actions/permissions") or {}).get("allowed_actions", "all")
    if allowed == "local_only":
        yield bad("actions allowed", f"none of others: {', '.join(used)} cannot run", ALLOW)
        return
    refused = []
    if allowed == "selected":
        listed = seen.hub.get("actions/permissions/selected-actions")
        if listed is None:
            yield unknown("actions allowed", "GitHub does not show the list", ALLOW)
            return
        refused = [name for name in used if not _may(name, listed)]
    if refused:
        yield bad(
            "actions allowed", f"{', '.join(refused)}: not in the list of allowed ones", ALLOW
        )
    else:
        yield ok("actions allowed", f"{', '.join(used)}")


def _texts() -> Iterator[str]:
    for folder in (WORKFLOWS, WORKFLOWS.parent / "actions"):
        yield from (file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.yml")))


def _may(name: str, listed: dict[str, Any]) -> bool:
    """Say whether a list lets an action in, by who made it or by a pattern."""
    owner = name.partition("/")[0]
    if owner in OWN:
        known = listed.get("github_owned_allowed", False)
    else:
        known = owner in VERIFIED and listed.get("verified_allowed", False)
    patterns = [one.partition("@")[0] for one in listed.get("patterns_allowed", ())]
    return known or any(fnmatch(name, one) for one in patterns)


def secrets(seen: Seen) -> Iterator[Finding]:
    """The keys are kept where jobs of other branches do not reach them."""
    names = {secret["name"] for secret in seen.hub.get_all("actions/secrets")}
    if wide := sorted(names & set(seen.settings.secrets)):
        text = f"{', '.join(wide)}: a workflow on any branch can read a secret of the repository"
        remedy = f"put it into the environment {KEYS}, delete it from the repository's secrets"
        yield bad("secrets", text, f"{remedy}, and make a new key: docs/github.md")
    else:
        kept = sorted(_kept(seen) & set(seen.settings.secrets))
        yield ok("secrets", f"in the environment {KEYS}: {', '.join(kept) or 'none'}")


def _kept(seen: Seen) -> set[str]:
    """Return the names of the secrets in the environment for them."""
    if seen.hub.get(f"environments/{KEYS}") is None:
        return set()
    return {secret["name"] for secret in seen.hub.get_all(f"environments/{KEYS}/secrets")}


def app(seen: Seen) -> Iterator[Finding]:
    """The GitHub App that opens pull requests, or what follows without one."""
    has_id, has_key = APP in seen.variables, KEY in _kept(seen)
    if has_id and has_key:
        yield ok("GitHub App", "it opens proposals, whose checks start by themselves")
    elif has_id or has_key:
        where = f" in the environment {KEYS}"
        missing = f"the secret {KEY}{where}" if has_id else f"the variable {APP}"
        yield bad(
            "GitHub App", f"{missing} is missing", "set both, or neither: machinery/docs/github.md"
        )
    else:
        text = "none: the checks of a pull request that a workflow opened wait for one click"
        yield note("GitHub App", text, "machinery/docs/github.md says how to make one")


def variables(seen: Seen) -> Iterator[Finding]:
    """Variables that are set are understood."""
    for name, said in seen.settings.variables.items():
        value = seen.variables.get(name)
        if value is None:
            yield note(f"variable {name}", f"not set. {said.meaning}")
        elif not re.fullmatch(said.pattern, value.strip()) or not _understood(name, value):
            yield bad(f"variable {name}", f"{value!r} is not understood", f"such as {said.example}")
        elif name == STORE and not value.startswith(HOSTED) and "RUNNER" not in seen.variables:
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
        return name not in RUNNERS or bool(plan.place(value, trusted=True))
    except UserError:
        return False


def schedules(seen: Seen) -> Iterator[Finding]:
    """The clock still starts what it should; GitHub stops it after 60 days without a commit."""
    for file, workflow in workflows().items():
        # YAML 1.1 reads the key `on` as true; a name or a list there has no schedule.
        started = workflow.get("on") or workflow.get(True)
        told = isinstance(started, dict) and started.get("schedule")
        if not told:
            continue
        guard, found = f"schedule {file}", seen.hub.get(f"actions/workflows/{file}")
        if found is None:
            yield bad(guard, "GitHub does not know the workflow", f"push it to {seen.branch}")
        elif found["state"] != "active":
            yield bad(guard, found["state"].replace("_", " "), f"gh workflow enable {file}")
        else:
            path = f"actions/workflows/{file}/runs?event=schedule"
            yield _last(guard, seen.hub.get(f"{path}&per_page=1"), told)


def _last(guard: str, runs: dict[str, Any], told: list[dict[str, str]]) -> Finding:
    if not runs["workflow_runs"]:
        return note(guard, "it has not run by the clock yet", "look again when its time has come")
    at = datetime.fromisoformat(runs["workflow_runs"][0]["created_at"])
    allowed = min(_patience(one["cron"]) for one in told)
    text = f"last started by the clock on {at:%Y-%m-%d %H:%M} UTC"
    if datetime.now(UTC) - at > allowed:
        return bad(guard, text, "Actions, the workflow: is it disabled, is GitHub late?")
    return ok(guard, text)


def _patience(cron: str) -> timedelta:
    """Return how long after a run the next is missed: twice its period, for GitHub runs late."""
    _, hour, day, month, weekday = cron.split()
    if month != "*":
        return timedelta(days=2 * 366)
    if day != "*":
        return timedelta(days=62)
    if weekday != "*":
        return timedelta(days=14)
    return timedelta(days=2) if hour.isdecimal() else timedelta(days=1)


def runner_group(seen: Seen) -> Iterator[Finding]:
    """A runner of one's own takes jobs from the workflows it is for, and no others."""
    if not set(RUNNERS) & set(seen.variables):
        yield note("runner group", "no runner of your own is used")
        return
    if seen.about["owner"]["type"] != "Organization":
        text = "a person's repository has none: every workflow on a branch here reaches the runner"
        yield note(
            "runner group", text, "move the repository to an organisation: machinery/docs/gpu.md"
        )
        return
    name = seen.hub.repository.partition("/")[2]
    path = f"/orgs/{seen.hub.owner}/actions/runner-groups?visible_to_repository={name}"
    groups = seen.hub.get_all(path)
    wide = [one["name"] for one in groups if not one.get("restricted_to_workflows")]
    if wide:
        text = f"{', '.join(wide)}: any workflow here may use its runners"
        yield bad("runner group", text, "restrict it to chosen workflows: machinery/docs/gpu.md")
        return
    yield ok("runner group", f"{len(groups)}, each for chosen workflows")
    loose = [name for one in groups for name in one.get("selected_workflows", ()) if _loose(name)]
    if loose and "RUNNER" in seen.variables:
        # A GPU's runner also serves pull requests, whose workflows are those of their branches.
        told = note if "GPU_RUNNER" in seen.variables else bad
        text = f"{', '.join(loose)}: as somebody's branch has it, with the rights of RUNNER"
        yield told(
            "runner branch", text, "choose them at refs/heads/main: machinery/docs/deploy.md"
        )


def _loose(workflow: str) -> bool:
    ref = workflow.partition("@")[2]
    return not ref.endswith(PROTECTED) and not re.fullmatch("[0-9a-f]{40}", ref)


def cml(seen: Seen) -> Iterator[Finding]:
    """CML, at the commit that posts reports, can be fetched."""
    match = re.search(r"(?m)^\s+ref: ([0-9a-f]{40})\b", POST.read_text(encoding="utf-8"))
    if match is None:
        yield bad("CML", f"{POST} names no commit", f"git checkout HEAD -- {POST}")
    elif seen.hub.get(f"/repos/{CML}/commits/{match[1]}") is None:
        text = f"{CML} has no commit {match[1][:12]}: gh posts the reports"
        yield bad("CML", text, f"pin a commit it has in {POST}")
    else:
        yield ok("CML", f"{CML} at {match[1][:12]}")
