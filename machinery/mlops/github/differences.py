"""What would have to change on GitHub to make a repository what .github/settings/ says."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops.ci.plan import is_taken_over
from mlops.github.api import GitHub, GitHubError
from mlops.github.settings import CODEOWNERS, Actions, Label, Place, Ruleset, Settings, for_app

Send = tuple[str, str, Any]
MESSAGE = ("squash_merge_commit_title", "squash_merge_commit_message")


@dataclass(frozen=True)
class Change:
    """One thing that differs: what it is now, what it would be, and the requests that do it."""

    what: str
    now: str
    then: str
    why: str
    sends: tuple[Send, ...]


@dataclass(frozen=True)
class Note:
    """What cannot be done or seen, and what that means."""

    what: str
    text: str


def differing(github: GitHub, settings: Settings, rules: list[Ruleset]) -> Iterator[Change | Note]:
    """Yield everything that differs, in the order in which it is changed.

    What a token may not see is a note; raises GitHubError where GitHub is not reached at all.
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
                # Nor would the other parts reach it.
                raise
            yield Note(name, f"not seen. {error} {limits(github, error)}".rstrip())


def limits(github: GitHub, error: GitHubError) -> str:
    """Say what the plan that is paid for has to do with a refusal, empty where nothing."""
    try:
        private = (github.get("") or {}).get("visibility", "public") != "public"
    except GitHubError:
        return ""
    if not private or error.status not in (403, 404, 422):
        return ""
    return (
        "This repository is not public: GitHub Free has neither rulesets nor protected "
        "environments for it, Pro and Team have both but no reviewers of an environment. Without "
        "them nothing on GitHub holds a merge back; machinery/docs/github.md says what still does."
    )


def _repository(github: GitHub, wanted: dict[str, Any]) -> Iterator[Change]:
    about = github.get("") or {}
    # These are shown to administrators only.
    if "allow_squash_merge" not in about:
        raise GitHubError("Its settings are shown to an administrator's token only.", 403)
    other = {key: value for key, value in wanted.items() if about.get(key) != value}
    if other.keys() & set(MESSAGE):
        # GitHub refuses one of them without the other.
        other |= {key: wanted[key] for key in MESSAGE}
    if other:
        now, then = _words({key: about.get(key) for key in other}), _words(other)
        why = "one pull request becomes one commit"
        yield Change("repository", now, then, why, (("PATCH", "", other),))


def _labels(github: GitHub, wanted: dict[str, Label]) -> Iterator[Change]:
    # GitHub's labels differ by more than capitals.
    there = {label["name"].lower(): label for label in github.get_all("labels")}
    for name, label in wanted.items():
        body, found = label.model_dump(), there.get(name.lower())
        if found is None:
            send = ("POST", "labels", {"name": name} | body)
            yield Change(f"label {name}", "missing", "there", label.description, (send,))
        elif not holds(found, body):
            now = _words({key: found[key] for key in body})
            path = f"labels/{quote(found['name'], safe='')}"
            send = ("PATCH", path, body)
            yield Change(f"label {name}", now, _words(body), label.description, (send,))


def _actions(github: GitHub, wanted: Actions) -> Iterator[Change | Note]:
    default = wanted.model_dump(exclude={"approval_policy"})
    approval = wanted.model_dump(include={"approval_policy"})
    asked = {
        "workflow": (default, "a job gets what it asks for, and may open a pull request"),
        "fork-pr-contributor-approval": (approval, "nothing of a stranger runs unseen"),
    }
    for name, (body, why) in asked.items():
        path = f"actions/permissions/{name}"
        found = github.get(path)
        if found is None:
            yield Note(f"actions {name}", "GitHub has no such setting for this repository.")
        elif not holds(found, body):
            now = _words({key: found.get(key) for key in body})
            yield Change(f"actions {name}", now, _words(body), why, (("PUT", path, body),))


def _environments(github: GitHub, wanted: dict[str, Place]) -> Iterator[Change]:
    for name, place in wanted.items():
        path = f"environments/{quote(name, safe='')}"
        found = github.get(path) or {}
        there = _policies(github, path, found)
        body = environment_body(github, place)
        kept = found and _kept(found, body)
        sends = [] if kept else [("PUT", path, body)]
        sends += _branches(f"{path}/deployment-branch-policies", there, place)
        if sends:
            listed = f"from {_names([rule['name'] for rule in there])}"
            now = (listed if kept else "other rules") if found else "missing"
            then = f"from {', '.join(place.branches)} only; reviewers: {_names(place.reviewers)}"
            why = "a deployment comes from no other branch"
            yield Change(f"environment {name}", now, then, why, tuple(sends))


def _policies(github: GitHub, path: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules that name branches of an environment; none where others decide."""
    custom = (found.get("deployment_branch_policy") or {}).get("custom_branch_policies")
    return github.get_all(f"{path}/deployment-branch-policies") if custom else []


def _branches(path: str, there: list[dict[str, Any]], place: Place) -> Iterator[Send]:
    """Yield the requests after which an environment takes these branches and no others."""
    known = {rule["name"] for rule in there}
    for branch in place.branches:
        if branch not in known:
            yield "POST", path, {"name": branch, "type": "branch"}
    for rule in there:
        if rule["name"] not in place.branches:
            yield "DELETE", f"{path}/{rule['id']}", None


def environment_body(github: GitHub, place: Place) -> dict[str, Any]:
    """Return what GitHub is to be sent for an environment; reviewers go by their numbers."""
    body: dict[str, Any] = {
        "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}
    }
    if place.reviewers:
        body["reviewers"] = [_reviewer(github, name) for name in place.reviewers]
    return body


def _reviewer(github: GitHub, name: str) -> dict[str, Any]:
    organisation, _, team = name.partition("/")
    path = f"/orgs/{organisation}/teams/{team}" if team else f"/users/{name}"
    found = github.get(path)
    if found is None:
        text = f"{name}, a reviewer in .github/settings/settings.yaml, is nobody GitHub knows."
        raise GitHubError(text, 404)
    return {"type": "Team" if team else "User", "id": found["id"]}


def _kept(found: dict[str, Any], body: dict[str, Any]) -> bool:
    rules = {rule["type"]: rule for rule in found.get("protection_rules", [])}
    shown = rules.get("required_reviewers", {}).get("reviewers", [])
    reviewers = [{"type": one["type"], "id": one["reviewer"]["id"]} for one in shown]
    policy = found.get("deployment_branch_policy")
    key = "deployment_branch_policy"
    return policy == body[key] and reviewers == body.get("reviewers", [])


def _rulesets(github: GitHub, wanted: list[Ruleset]) -> Iterator[Change | Note]:
    # An organisation's ruleset may have the same name, and is not the repository's to change.
    listed = github.get_all("rulesets?includes_parents=false")
    there = {rules["name"]: rules["id"] for rules in listed}
    app = next((v["value"] for v in _variables(github) if v["name"] == "APP_ID"), None)
    for rules in wanted:
        name = rules["name"]
        if for_app(rules, None) != rules and not app:
            text = (
                "Anybody who may write may move it: only a GitHub App can be let past a rule that "
                "keeps others out. With the variable APP_ID, run this again."
            )
            yield Note(f"ruleset {name}", text)
        if name not in there and _asks_owners(rules) and not _is_owned(github):
            text = (
                "It comes when the default branch names owners: it asks them to approve, so nobody "
                f"could approve the change that names them. Push {CODEOWNERS} with its owners "
                "there, then run this again."
            )
            yield Note(f"ruleset {name}", text)
            continue
        rules = for_app(rules, app)
        path = f"rulesets/{there[name]}" if name in there else "rulesets"
        found = github.get(path) if name in there else None
        if found is None or not same_rules(found, rules):
            kinds = ", ".join(rule["type"] for rule in rules["rules"])
            send = ("PUT" if found else "POST", path, rules)
            now = "other rules" if found else "missing"
            why = "what was agreed is enforced, on everybody"
            yield Change(f"ruleset {name}", now, kinds, why, (send,))


def _asks_owners(rules: Ruleset) -> bool:
    asked = [rule.get("parameters", {}) for rule in rules["rules"]]
    return any(one.get("require_code_owner_review") for one in asked)


def _is_owned(github: GitHub) -> bool:
    """Say whether CODEOWNERS names somebody on the default branch, as GitHub has it."""
    found = github.get(f"contents/{CODEOWNERS.as_posix()}")
    return bool(found and is_taken_over(b64decode(found["content"]).decode("utf-8", "replace")))


def _variables(github: GitHub) -> list[dict[str, Any]]:
    try:
        return github.get_all("actions/variables")
    except GitHubError:
        return []


def same_rules(found: Ruleset, wanted: Ruleset) -> bool:
    """Return whether a ruleset on GitHub says what is wanted; what GitHub adds does not count."""
    rules = {rule["type"]: rule for rule in found.get("rules", [])}
    kinds = {rule["type"] for rule in wanted["rules"]}
    return (
        holds(found, {k: v for k, v in wanted.items() if k != "rules"})
        and set(rules) == kinds
        and all(holds(rules[rule["type"]], rule) for rule in wanted["rules"])
    )


def holds(found: Any, wanted: Any) -> bool:
    """Return whether all that is wanted is there; an object may hold more."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and holds(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(holds, found, wanted))
    return found == wanted


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in values.items())


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
