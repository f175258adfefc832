"""Checks of the GitHub environments: the branches that may deploy, and the approvals."""

from collections.abc import Iterator
from urllib.parse import quote

from mlops.doctor.context import APPLY, Context
from mlops.doctor.findings import GuardResult, bad, ok
from mlops.github import owners
from mlops.github.settings import EnvironmentSettings

RULE = "required_reviewers"
# The lines of CODEOWNERS that decide who owns production's files: the last one counts.
SERVING = ("*", "/environments/", "/environments/production/")


def environments(context: Context) -> Iterator[GuardResult]:
    """Check that only the branches in settings.yaml may deploy to each environment."""
    for name, expected in context.settings.environments.items():
        guard, path = f"environment {name}", f"environments/{quote(name, safe='')}"
        actual = context.hub.get(path)
        if actual is None:
            yield bad(guard, "missing: the first deployment makes one without rules", APPLY)
            continue
        rules = {rule["type"]: rule for rule in actual.get("protection_rules", [])}
        policy = actual.get("deployment_branch_policy") or {}
        if not policy.get("custom_branch_policies"):
            yield bad(guard, "any branch may deploy to it", APPLY)
            continue
        listed = context.hub.get_all(f"{path}/deployment-branch-policies")
        yield _check_branches(guard, {one["name"] for one in listed}, expected, RULE in rules)


def _check_branches(
    guard: str, branches: set[str], expected: EnvironmentSettings, reviewed: bool
) -> GuardResult:
    if other := branches ^ set(expected.branches):
        allowed = ", ".join(expected.branches)
        return bad(guard, f"{', '.join(sorted(other))}: settings.yaml names {allowed}", APPLY)
    if expected.reviewers and not reviewed:
        return bad(guard, "without the reviewers that settings.yaml names", APPLY)
    return ok(guard, f"from {', '.join(sorted(branches))} only")


def strays(context: Context) -> Iterator[GuardResult]:
    """Find environments that nothing here names: a typo in a dispatch creates one, open to all."""
    names = {environment["name"] for environment in context.hub.get_all("environments")}
    stray = sorted(names - set(context.settings.environments))
    if stray:
        text = f"{', '.join(stray)}: nothing here has that name"
        yield bad("other environments", text, "delete it (Settings, Environments) or name it here")
    else:
        yield ok("other environments", "none")


def approval(context: Context) -> Iterator[GuardResult]:
    """Check that a code owner or a reviewer must approve a change of production."""
    is_asked = context.is_required("pull_request", "require_code_owner_review", True)
    by_owner = is_asked and owners.is_owned(*SERVING)
    production = context.hub.get("environments/production") or {}
    by_reviewer = any(rule["type"] == RULE for rule in production.get("protection_rules", []))
    ways = ["a code owner" if by_owner else "", "a reviewer of the run" if by_reviewer else ""]
    if any(ways):
        yield ok("yes to production", f"from {' and '.join(way for way in ways if way)}")
    else:
        text = "nobody has to: neither a code owner nor a reviewer must approve a promotion"
        yield bad("yes to production", text, APPLY)
