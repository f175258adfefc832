""".github/settings/: what this repository should be on GitHub, as its owner wrote it."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mlops.config.documents import Strict, parse, text_of
from mlops.errors import UserError

FOLDER = Path(".github/settings")
FILE = FOLDER / "settings.yaml"
CODEOWNERS = Path(".github/CODEOWNERS")
CHECK = "all-green"
# The environment that keeps the secrets: it has no folder, and nothing is deployed to it.
KEYS = "release"
PERSON = r"^[A-Za-z0-9-]+(/[A-Za-z0-9._-]+)?$"

Ruleset = dict[str, Any]


class Repository(Strict):
    """How pull requests are merged."""

    allow_squash_merge: bool
    allow_merge_commit: bool
    allow_rebase_merge: bool
    squash_merge_commit_title: Literal["PR_TITLE", "COMMIT_OR_PR_TITLE"]
    squash_merge_commit_message: Literal["PR_BODY", "COMMIT_MESSAGES", "BLANK"]
    delete_branch_on_merge: bool
    allow_update_branch: bool


class Actions(Strict):
    """What workflows may do, and whose run without being asked for."""

    default_workflow_permissions: Literal["read", "write"]
    can_approve_pull_request_reviews: bool
    approval_policy: Literal[
        "first_time_contributors_new_to_github",
        "first_time_contributors",
        "all_external_contributors",
    ]


class Place(Strict):
    """A GitHub environment: whence it may be deployed to, and who says yes to that."""

    branches: tuple[str, ...] = Field(min_length=1)
    reviewers: tuple[str, ...] = Field((), max_length=6)


class Label(Strict):
    """A label of pull requests."""

    color: str = Field(pattern=r"^[0-9a-f]{6}$")
    description: str = Field(max_length=100)


class Variable(Strict):
    """A variable of the repository: what it is for, what it may be."""

    meaning: str
    pattern: str
    example: str


class Settings(Strict):
    """All of settings.yaml."""

    repository: Repository
    actions: Actions
    environments: dict[str, Place]
    labels: dict[str, Label]
    variables: dict[str, Variable]
    secrets: dict[str, str]


def settings() -> Settings:
    """Read settings.yaml; raises UserError for every mistake in it at once."""
    try:
        return parse(text_of(FILE), str(FILE), Settings)
    except FileNotFoundError:
        raise UserError(f"{FILE} is missing. Put it back: git checkout HEAD -- {FILE}") from None


def rulesets() -> list[Ruleset]:
    """Read the rulesets; raises UserError for what is no JSON or was exported with its id."""
    found = []
    for file in sorted(FOLDER.glob("rulesets/*.json")):
        try:
            rules = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{file} is no JSON: {error}.") from None
        # They belong to the repository it was exported from.
        if extra := {"id", "source", "source_type", "node_id"} & set(rules):
            raise UserError(f"{file}: remove {', '.join(sorted(extra))}, which GitHub gives anew.")
        found.append(rules)
    return found


def for_app(rules: Ruleset, app: str | None) -> Ruleset:
    """Return a ruleset whose moves are left to the App, or to anybody where there is none.

    Only an App can be let past a rule, GITHUB_TOKEN cannot: without one nobody could move staging.
    """
    kinds = [rule["type"] for rule in rules["rules"]]
    if "update" not in kinds or rules["bypass_actors"]:
        return rules
    if app:
        actor = {"actor_id": int(app), "actor_type": "Integration", "bypass_mode": "always"}
        return rules | {"bypass_actors": [actor]}
    return rules | {"rules": [r for r in rules["rules"] if r["type"] not in ("creation", "update")]}
