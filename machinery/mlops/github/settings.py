""".github/settings/: the settings that this repository should have on GitHub."""

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
# The environment for secrets only: it has no folder, and nothing is deployed to it.
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
    """Permissions of workflows, and whose workflows run without approval."""

    default_workflow_permissions: Literal["read", "write"]
    can_approve_pull_request_reviews: bool
    approval_policy: Literal[
        "first_time_contributors_new_to_github",
        "first_time_contributors",
        "all_external_contributors",
    ]


class EnvironmentSettings(Strict):
    """A GitHub environment: the branches that may deploy to it, and the reviewers."""

    branches: tuple[str, ...] = Field(min_length=1)
    reviewers: tuple[str, ...] = Field((), max_length=6)


class Label(Strict):
    """A label of pull requests."""

    color: str = Field(pattern=r"^[0-9a-f]{6}$")
    description: str = Field(max_length=100)


class Variable(Strict):
    """A variable of the repository: its meaning, the pattern of its values and an example."""

    meaning: str
    pattern: str
    example: str


class RepositorySettings(Strict):
    """The content of settings.yaml."""

    repository: Repository
    actions: Actions
    environments: dict[str, EnvironmentSettings]
    labels: dict[str, Label]
    variables: dict[str, Variable]
    secrets: dict[str, str]


def settings() -> RepositorySettings:
    """Read settings.yaml; raises UserError with every mistake in it."""
    try:
        return parse(text_of(FILE), str(FILE), RepositorySettings)
    except FileNotFoundError:
        raise UserError(f"{FILE} is missing. Put it back: git checkout HEAD -- {FILE}") from None


def rulesets() -> list[Ruleset]:
    """Read the rulesets; raises UserError for invalid JSON and for GitHub's own fields."""
    loaded = []
    for file in sorted(FOLDER.glob("rulesets/*.json")):
        try:
            rules = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{file} is no JSON: {error}.") from None
        # An exported ruleset has fields of the repository that it comes from.
        if extra := {"id", "source", "source_type", "node_id"} & set(rules):
            raise UserError(f"{file}: remove {', '.join(sorted(extra))}, which GitHub sets itself.")
        loaded.append(rules)
    return loaded


def for_app(rules: Ruleset, app: str | None) -> Ruleset:
    """Return a ruleset that lets only the App move the branch, or everybody without an App.

    GITHUB_TOKEN cannot bypass a rule, only an App can: without one nobody could move staging.
    """
    kinds = [rule["type"] for rule in rules["rules"]]
    if "update" not in kinds or rules["bypass_actors"]:
        return rules
    if app:
        actor = {"actor_id": int(app), "actor_type": "Integration", "bypass_mode": "always"}
        return rules | {"bypass_actors": [actor]}
    return rules | {"rules": [r for r in rules["rules"] if r["type"] not in ("creation", "update")]}
