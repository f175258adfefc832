"""What several looks need, asked for once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlops.github.api import GitHub, GitHubError
from mlops.github.differences import holds
from mlops.github.settings import Ruleset, Settings, rulesets, settings

APPLY = 'make github-setup ARGS="--apply"'


@dataclass
class Seen:
    """The repository as it is here and on GitHub; without a GitHub, `why` there is none."""

    github: GitHub | None
    why: str = ""

    @cached_property
    def settings(self) -> Settings:
        """What .github/settings/settings.yaml says."""
        return settings()

    @cached_property
    def rulesets(self) -> dict[str, Ruleset]:
        """The rulesets in .github/settings/ by name."""
        return {rules["name"]: rules for rules in rulesets()}

    @property
    def hub(self) -> GitHub:
        """GitHub, for the looks that are only taken where there is one."""
        assert self.github is not None
        return self.github

    @cached_property
    def about(self) -> dict[str, Any]:
        """What GitHub says of the repository; GitHubError where it is not seen."""
        found = self.hub.get("")
        if found is None:
            text = f"{self.hub.repository} is not seen: it does not exist, or is private."
            raise GitHubError(text, 404)
        return found

    @cached_property
    def branch(self) -> str:
        """The default branch."""
        return self.about["default_branch"]

    @cached_property
    def rules(self) -> dict[str, list[dict[str, Any]]]:
        """The rules that hold on the default branch, by type; rulesets add up."""
        found: dict[str, list[dict[str, Any]]] = {}
        for rule in self.hub.get_all(f"rules/branches/{self.branch}"):
            found.setdefault(rule["type"], []).append(rule)
        return found

    def demanded(self, kind: str, key: str, value: Any) -> bool:
        """Say whether a rule of a type on the default branch demands this."""
        rules = self.rules.get(kind, ())
        return any(holds(rule.get("parameters", {}).get(key), value) for rule in rules)

    @cached_property
    def variables(self) -> dict[str, str]:
        """The variables that are set."""
        found = self.hub.get_all("actions/variables")
        return {variable["name"]: variable["value"] for variable in found}
