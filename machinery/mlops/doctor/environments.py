"""Guards of the GitHub environments: whence they are deployed to, and who says yes."""

from collections.abc import Iterator
from urllib.parse import quote

from mlops.doctor.context import APPLY, Seen
from mlops.doctor.findings import Finding, bad, ok
from mlops.doctor.tree import SERVING
from mlops.github import owners
from mlops.github.settings import Place

RULE = "required_reviewers"


def environments(seen: Seen) -> Iterator[Finding]:
    """Each takes deployments from the branches that settings.yaml names, and no other."""
    for name, place in seen.settings.environments.items():
        guard, path = f"environment {name}", f"environments/{quote(name, safe='')}"
        found = seen.hub.get(path)
        if found is None:
            yield bad(guard, "missing: the first deployment makes one without rules", APPLY)
            continue
        rules = {rule["type"]: rule for rule in found.get("protection_rules", [])}
        policy = found.get("deployment_branch_policy") or {}
        if not policy.get("custom_branch_policies"):
            yield bad(guard, "any branch may deploy to it", APPLY)
            continue
        listed = seen.hub.get_all(f"{path}/deployment-branch-policies")
        yield _whence(guard, {one["name"] for one in listed}, place, RULE in rules)


def _whence(guard: str, branches: set[str], place: Place, reviewed: bool) -> Finding:
    if other := branches ^ set(place.branches):
        wanted = ", ".join(place.branches)
        return bad(guard, f"{', '.join(sorted(other))}: settings.yaml says {wanted}", APPLY)
    if place.reviewers and not reviewed:
        return bad(guard, "without the reviewers that settings.yaml names", APPLY)
    return ok(guard, f"from {', '.join(sorted(branches))} only")


def strays(seen: Seen) -> Iterator[Finding]:
    """No environment that nothing here names: a typo in a dispatch makes one, open to all."""
    names = {found["name"] for found in seen.hub.get_all("environments")}
    stray = sorted(names - set(seen.settings.environments))
    if stray:
        text = f"{', '.join(stray)}: nothing here has that name"
        yield bad("other environments", text, "delete it (Settings, Environments) or name it here")
    else:
        yield ok("other environments", "none")


def approval(seen: Seen) -> Iterator[Finding]:
    """Somebody has to say yes before production changes: a code owner, or a reviewer."""
    asked = seen.demanded("pull_request", "require_code_owner_review", True)
    by_owner = asked and SERVING in owners.owned()
    found = seen.hub.get("environments/production") or {}
    by_reviewer = any(rule["type"] == RULE for rule in found.get("protection_rules", []))
    ways = ["a code owner" if by_owner else "", "a reviewer of the run" if by_reviewer else ""]
    if any(ways):
        yield ok("yes to production", f"from {' and '.join(way for way in ways if way)}")
    else:
        text = "nobody has to: neither code owners nor reviewers hold a promotion back"
        yield bad("yes to production", text, APPLY)
