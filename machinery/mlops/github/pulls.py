"""Find, open and close pull requests; a repeated call changes nothing."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops import git
from mlops.github import remote
from mlops.github.api import GitHub, GitHubError

Pull = dict[str, Any]


@dataclass(frozen=True)
class Pulls:
    """The pull requests from branches of this repository into its default branch, `base`."""

    hub: GitHub
    base: str

    @property
    def tracked(self) -> str:
        """The remote-tracking ref of the base branch."""
        return f"refs/remotes/origin/{self.base}"

    def of(self, branch: str) -> Pull | None:
        """Return the newest pull request of a branch, open, merged or closed; None without one."""
        head = quote(f"{self.hub.owner}:{branch}", safe="")
        pulls = self.hub.get(f"pulls?state=all&head={head}&base={quote(self.base, safe='')}")
        return max(pulls or [], key=lambda pull: pull["number"], default=None)

    def open_below(self, prefix: str) -> list[Pull]:
        """Return the open pull requests from branches of this repository with a prefix."""
        pulls = self.hub.get_all(f"pulls?state=open&base={quote(self.base, safe='')}")
        return [pull for pull in pulls if self._is_ours(pull["head"], prefix)]

    def _is_ours(self, head: dict[str, Any], prefix: str) -> bool:
        # A fork may use the same branch name; a deleted fork has no repository.
        theirs = (head["repo"] or {}).get("full_name", "")
        same = theirs.lower() == self.hub.repository.lower()
        return same and head["ref"].startswith(prefix)

    def open(self, branch: str, title: str, body: str) -> Pull:
        """Open a pull request; return the one that a failed request opened nevertheless."""
        content = {"title": title, "head": branch, "base": self.base, "body": body}
        try:
            return self.hub.send("POST", "pulls", content)
        except GitHubError:
            existing = self.of(branch)
            if existing is None or existing["state"] != "open":
                raise
            return existing

    def close(self, pull: Pull, why: str) -> bool:
        """Close a pull request with a reason and remove its branch; False if people worked on it.

        The comment is posted before the closing: a run after a kill finds it open and repeats both.
        """
        number, branch = pull["number"], pull["head"]["ref"]
        tip = remote.fetch(branch)
        if tip and self._commits(tip) > 1:
            return False
        self.hub.send("POST", f"issues/{number}/comments", {"body": why})
        self.hub.send("PATCH", f"pulls/{number}", {"state": "closed"})
        if tip:
            remote.remove(branch, tip)
        return True

    def _commits(self, tip: str) -> int:
        # Leave out merges: `Update branch` on the page merges the base into a branch.
        return int(git.git("rev-list", "--no-merges", "--count", f"{self.tracked}..{tip}"))
