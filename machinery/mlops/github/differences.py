"""The differences between a repository on GitHub and .github/settings/."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops.ci.plan import is_taken_over
from mlops.github.api import GitHub, GitHubError
from mlops.github.settings import (
    CODEOWNERS,
    Actions,
    EnvironmentSettings,
    Label,
    RepositorySettings,
    Ruleset,
    for_app,
)

Send = tuple[str, str, Any]
MESSAGE = ("squash_merge_commit_title", "squash_merge_commit_message")


@dataclass(frozen=True)
class Change:
    """One difference: the current value, the new value and the requests that set it."""

    what: str
    now: str
    then: str
    why: str
    sends: tuple[Send, ...]


@dataclass(frozen=True)
class Note:
    """A setting that cannot be read or changed, and the consequence."""

    what: str
    text: str


def differing(
    github: GitHub, settings: RepositorySettings, rules: list[Ruleset]
) -> Iterator[Change | Note]:
    """Yield every difference in the order in which it is changed.

    A setting that the token may not read is a note; raises GitHubError if GitHub is not reached.
    """
    parts = {
        "repository": lambda: _repository(github, settings.repository.model_dump()),
        "labels": lambda: _labels(github, settings.labels),
        "actions": lambda: _actions(github, settings.actions),
        "environments": lambda: _environments(github, settings.environments),
        "rulesets": lambda: _rulesets(github, rules),
    }
    for name, part in parts.items():
        try:
            yield from part()
        except GitHubError as error:
            if not error.status:
                # GitHub was not reached, so every other part would fail too.
                raise
            yield Note(name, f"not readable. {error} {limits(github, error)}".rstrip())


def limits(github: GitHub, error: GitHubError) -> str:
    """Return how GitHub's pricing plan explains an error, "" if it does not."""
    try:
        private = (github.get("") or {}).get("visibility", "public") != "public"
    except GitHubError:
        return ""
    if not private or error.status not in (403, 404, 422):
        return ""
    return (
        "This repository is not public: GitHub Free has neither rulesets nor protected "
        "environments for it, Pro and Team have both but no reviewers of an environment. Without "
        "them GitHub blocks no merge; machinery/docs/github.md lists the checks that remain."
    )


def _repository(github: GitHub, expected: dict[str, Any]) -> Iterator[Change]:
    about = github.get("") or {}
    # Only administrators can read these settings.
    if "allow_squash_merge" not in about:
        raise GitHubError("Only an administrator's token can read its settings.", 403)
    other = {key: value for key, value in expected.items() if about.get(key) != value}
    if other.keys() & set(MESSAGE):
        # GitHub accepts the two only together.
        other |= {key: expected[key] for key in MESSAGE}
    if other:
        now, then = _list({key: about.get(key) for key in other}), _list(other)
        why = "one pull request becomes one commit"
        yield Change("repository", now, then, why, (("PATCH", "", other),))


def _labels(github: GitHub, labels: dict[str, Label]) -> Iterator[Change]:
    # GitHub compares the names of labels without case.
    existing = {label["name"].lower(): label for label in github.get_all("labels")}
    for name, label in labels.items():
        body, actual = label.model_dump(), existing.get(name.lower())
        if actual is None:
            send = ("POST", "labels", {"name": name} | body)
            yield Change(f"label {name}", "missing", "there", label.description, (send,))
        elif not holds(actual, body):
            now = _list({key: actual[key] for key in body})
            path = f"labels/{quote(actual['name'], safe='')}"
            send = ("PATCH", path, body)
            yield Change(f"label {name}", now, _list(body), label.description, (send,))


def _actions(github: GitHub, settings: Actions) -> Iterator[Change | Note]:
    default = settings.model_dump(exclude={"approval_policy"})
    approval = settings.model_dump(include={"approval_policy"})
    parts = {
        "workflow": (
            default,
            "a job gets only the permissions it names, and may open a pull request",
        ),
        "fork-pr-contributor-approval": (approval, "code of a stranger runs only after approval"),
    }
    for name, (body, why) in parts.items():
        path = f"actions/permissions/{name}"
        actual = github.get(path)
        if actual is None:
            yield Note(f"actions {name}", "GitHub has no such setting for this repository.")
        elif not holds(actual, body):
            now = _list({key: actual.get(key) for key in body})
            yield Change(f"actions {name}", now, _list(body), why, (("PUT", path, body),))


def _environments(github: GitHub, environments: dict[str, EnvironmentSettings]) -> Iterator[Change]:
    for name, settings in environments.items():
        path = f"environments/{quote(name, safe='')}"
        actual = github.get(path) or {}
        policies = _policies(github, path, actual)
        body = environment_body(github, settings)
        is_same = actual and _has_rules(actual, body)
        sends = [] if is_same else [("PUT", path, body)]
        sends += _branches(f"{path}/deployment-branch-policies", policies, settings)
        if sends:
            current = f"from {_names([rule['name'] for rule in policies])}"
            now = (current if is_same else "other rules") if actual else "missing"
            then = f"from {_names(settings.branches)} only; reviewers: {_names(settings.reviewers)}"
            why = "only these branches may deploy to it"
            yield Change(f"environment {name}", now, then, why, tuple(sends))


def _policies(github: GitHub, path: str, environment: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the branch rules of an environment, none if it has no rules of its own."""
    custom = (environment.get("deployment_branch_policy") or {}).get("custom_branch_policies")
    return github.get_all(f"{path}/deployment-branch-policies") if custom else []


def _branches(
    path: str, policies: list[dict[str, Any]], settings: EnvironmentSettings
) -> Iterator[Send]:
    """Yield the requests that allow deployments from exactly these branches."""
    allowed = {rule["name"] for rule in policies}
    for branch in settings.branches:
        if branch not in allowed:
            yield "POST", path, {"name": branch, "type": "branch"}
    for rule in policies:
        if rule["name"] not in settings.branches:
            yield "DELETE", f"{path}/{rule['id']}", None


def environment_body(github: GitHub, settings: EnvironmentSettings) -> dict[str, Any]:
    """Return the request body for an environment, with reviewers as numeric ids."""
    body: dict[str, Any] = {
        "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}
    }
    if settings.reviewers:
        body["reviewers"] = [_reviewer(github, name) for name in settings.reviewers]
    return body


def _reviewer(github: GitHub, name: str) -> dict[str, Any]:
    organisation, _, team = name.partition("/")
    path = f"/orgs/{organisation}/teams/{team}" if team else f"/users/{name}"
    account = github.get(path)
    if account is None:
        text = f"GitHub has no {name}, which .github/settings/settings.yaml names as a reviewer."
        raise GitHubError(text, 404)
    return {"type": "Team" if team else "User", "id": account["id"]}


def _has_rules(environment: dict[str, Any], body: dict[str, Any]) -> bool:
    rules = {rule["type"]: rule for rule in environment.get("protection_rules", [])}
    shown = rules.get("required_reviewers", {}).get("reviewers", [])
    reviewers = [{"type": one["type"], "id": one["reviewer"]["id"]} for one in shown]
    policy = environment.get("deployment_branch_policy")
    key = "deployment_branch_policy"
    return policy == body[key] and reviewers == body.get("reviewers", [])


def _rulesets(github: GitHub, rulesets: list[Ruleset]) -> Iterator[Change | Note]:
    # Leave out the rulesets of an organisation, which may have the same names.
    listed = github.get_all("rulesets?includes_parents=false")
    ids = {rules["name"]: rules["id"] for rules in listed}
    app = next((v["value"] for v in _variables(github) if v["name"] == "APP_ID"), None)
    for rules in rulesets:
        name = rules["name"]
        if for_app(rules, None) != rules and not app:
            text = (
                "Anybody with write access may move this branch: GitHub lets only an App bypass a "
                "rule that blocks everybody else. Set the variable APP_ID, then run this again."
            )
            yield Note(f"ruleset {name}", text)
        if name not in ids and _requires_owners(rules) and not _is_owned(github):
            text = (
                "It is created once the default branch names owners: it requires their approval, "
                f"so nobody could approve the change that names them. Push {CODEOWNERS} with its "
                "owners there, then run this again."
            )
            yield Note(f"ruleset {name}", text)
            continue
        rules = for_app(rules, app)
        path = f"rulesets/{ids[name]}" if name in ids else "rulesets"
        actual = github.get(path) if name in ids else None
        if actual is None or not same_rules(actual, rules):
            kinds = ", ".join(rule["type"] for rule in rules["rules"])
            send = ("PUT" if actual else "POST", path, rules)
            now = "other rules" if actual else "missing"
            why = "GitHub enforces the agreed rules on everybody"
            yield Change(f"ruleset {name}", now, kinds, why, (send,))


def _requires_owners(rules: Ruleset) -> bool:
    parameters = [rule.get("parameters", {}) for rule in rules["rules"]]
    return any(one.get("require_code_owner_review") for one in parameters)


def _is_owned(github: GitHub) -> bool:
    """Return whether CODEOWNERS names an owner on GitHub's default branch."""
    file = github.get(f"contents/{CODEOWNERS.as_posix()}")
    return bool(file and is_taken_over(b64decode(file["content"]).decode("utf-8", "replace")))


def _variables(github: GitHub) -> list[dict[str, Any]]:
    try:
        return github.get_all("actions/variables")
    except GitHubError:
        return []


def same_rules(actual: Ruleset, expected: Ruleset) -> bool:
    """Return whether a ruleset on GitHub equals the expected one; ignores fields GitHub adds."""
    rules = {rule["type"]: rule for rule in actual.get("rules", [])}
    kinds = {rule["type"] for rule in expected["rules"]}
    return (
        holds(actual, {k: v for k, v in expected.items() if k != "rules"})
        and set(rules) == kinds
        and all(holds(rules[rule["type"]], rule) for rule in expected["rules"])
    )


def holds(actual: Any, expected: Any) -> bool:
    """Return whether a JSON value equals the expected one; objects may have more keys."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and holds(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(actual, list):
        return len(actual) == len(expected) and all(map(holds, actual, expected))
    return actual == expected


def _list(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in values.items())


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
