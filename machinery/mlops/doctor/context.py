"""The state that several checks share, requested from GitHub once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlops.github.api import GitHub, GitHubError
from mlops.github.differences import holds
from mlops.github.settings import RepositorySettings, Ruleset, rulesets, settings

APPLY = 'make github-setup ARGS="--apply"'


@dataclass
class Context:
    """The repository here and on GitHub; without GitHub, `why` is the reason."""

    github: GitHub | None
    why: str = ""

    @cached_property
    def settings(self) -> RepositorySettings:
        """The content of .github/settings/settings.yaml."""
        return settings()

    @cached_property
    def rulesets(self) -> dict[str, Ruleset]:
        """The rulesets in .github/settings/ by name."""
        return {rules["name"]: rules for rules in rulesets()}

    @property
    def hub(self) -> GitHub:
        """GitHub, for the checks that need it."""
        assert self.github is not None
        return self.github

    @cached_property
    def about(self) -> dict[str, Any]:
        """GitHub's description of the repository; raises GitHubError if it is not visible."""
        about = self.hub.get("")
        if about is None:
            text = f"{self.hub.repository} is not seen: it does not exist, or is private."
            raise GitHubError(text, 404)
        return about

    @cached_property
    def branch(self) -> str:
        """The default branch."""
        return self.about["default_branch"]

    @cached_property
    def rules(self) -> dict[str, list[dict[str, Any]]]:
        """The rules of the default branch by type, from all rulesets together."""
        rules: dict[str, list[dict[str, Any]]] = {}
        for rule in self.hub.get_all(f"rules/branches/{self.branch}"):
            rules.setdefault(rule["type"], []).append(rule)
        return rules

    def is_required(self, kind: str, key: str, value: Any) -> bool:
        """Return whether a rule of a type on the default branch requires this value."""
        rules = self.rules.get(kind, ())
        return any(holds(rule.get("parameters", {}).get(key), value) for rule in rules)

    @cached_property
    def variables(self) -> dict[str, str]:
        """The values of the repository's variables by name."""
        variables = self.hub.get_all("actions/variables")
        return {variable["name"]: variable["value"] for variable in variables}
