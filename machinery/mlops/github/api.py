"""GitHub's REST API: a repository, a token, and requests with retries.

https://docs.github.com/rest
"""

import os
import re
import time
import weakref
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops import git
from mlops.console import without_password
from mlops.errors import UserError

if TYPE_CHECKING:
    import httpx

# Seconds to wait before each retry. Most server errors of GitHub end within this time.
WAITS = (1, 3, 9)
# Wait for a rate limit at most this many seconds; report a longer one as an error.
PATIENCE = 60
VERSION = "2022-11-28"


class GitHubError(UserError):
    """GitHub refused a request: `status` is the HTTP status, 0 if GitHub was not reached."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class GitHub:
    """A client for one repository; a path with a leading / is absolute: `/users/octocat`."""

    def __init__(self, repository: str, token: str = "", api: str = "https://api.github.com"):
        self.repository = repository
        self.token = token
        self.api = api.rstrip("/")

    @classmethod
    def here(cls) -> "GitHub":
        """Return a client for this checkout: GITHUB_REPOSITORY, else the remote `origin`.

        GITHUB_TOKEN or GH_TOKEN is the token, GITHUB_API_URL the server. Raises UserError if
        neither names a repository.
        """
        token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""
        repository = os.environ.get("GITHUB_REPOSITORY", "")
        host = "github.com"
        if not repository:
            host, repository = _remote()
        default = "https://api.github.com" if host == "github.com" else f"https://{host}/api/v3"
        return cls(repository, token, os.environ.get("GITHUB_API_URL") or default)

    @property
    def owner(self) -> str:
        """The user or organisation that owns the repository."""
        return self.repository.split("/")[0]

    def default_branch(self) -> str:
        """Return the branch that pull requests are merged into."""
        about = self.get("")
        if about is None:
            raise UserError(
                f"{self.api} shows no {self.repository}. Does the token have read access?"
            )
        return about["default_branch"]

    def get(self, path: str) -> Any:
        """Return the JSON at a path, None for status 404; raises GitHubError for other errors."""
        try:
            return _content(self._request("GET", path))
        except GitHubError as error:
            if error.status == 404:
                return None
            raise

    def get_all(self, path: str) -> list[Any]:
        """Return a list from all pages, also if GitHub wraps the list in an object."""
        url, items = f"{path}{'&' if '?' in path else '?'}per_page=100", []
        while url:
            answer = self._request("GET", url)
            page = _content(answer)
            if isinstance(page, dict):
                page = next(value for value in page.values() if isinstance(value, list))
            items += page
            url = answer.links.get("next", {}).get("url")
        return items

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that changes something; a retry after a server error may send it twice."""
        return _content(self._request(method, path, body))

    def download(self, path: str, limit: int) -> bytes | None:
        """Return the bytes that a path redirects to, None if there are more than `limit`."""
        import httpx

        # Another host: never send it the token.
        address = self._request("GET", path).headers["location"]
        content = bytearray()
        try:
            with httpx.stream("GET", address, timeout=30) as answer:
                answer.raise_for_status()
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > limit:
                        return None
        except httpx.HTTPError as error:
            text = f"GET {path}: the download failed ({error}). Run it again."
            raise GitHubError(text, 0) from None
        return bytes(content)

    @cached_property
    def _client(self) -> "httpx.Client":
        import httpx

        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        client = httpx.Client(headers=headers, timeout=30)
        weakref.finalize(self, client.close)
        return client

    def _request(self, method: str, path: str, body: Any = None) -> "httpx.Response":
        import httpx

        url, answer, problem = self._url(path), None, ""
        for wait in (*WAITS, None):
            try:
                answer = self._client.request(method, url, json=body)
                pause = _pause(answer, wait)
                if pause is None:
                    break
            except httpx.TransportError as error:
                answer, problem, pause = None, str(error) or type(error).__name__, wait
            if wait is None:
                break
            time.sleep(pause)
        if answer is None:
            text = f"{self.api} was not reached ({problem}). Check the network and run it again."
            raise GitHubError(text, 0)
        if answer.is_error:
            raise GitHubError(_explain(method, url, answer, bool(self.token)), answer.status_code)
        return answer

    def _url(self, path: str) -> str:
        if path.startswith(f"{self.api}/"):
            return path
        # The address of the next page comes from a response: send the token to no other server.
        if "://" in path:
            raise GitHubError(f"{path} is not below {self.api}: nothing was sent there.", 0)
        if path.startswith("/"):
            return f"{self.api}{path}"
        return f"{self.api}/repos/{self.repository}{'/' if path[:1] not in ('', '?') else ''}{path}"


def _remote() -> tuple[str, str]:
    """Return host and owner/name of the remote `origin`."""
    url = git.git("remote", "get-url", "origin", check=False)
    match = re.fullmatch(
        r"(?:\w+://)?(?:[^@/]+@)?([\w.-]+)(?::\d+)?[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?", url
    )
    if not match:
        origin = (
            f"the remote `origin` is {without_password(url)!r}"
            if url
            else "there is no remote `origin`"
        )
        raise UserError(
            f"Which repository on GitHub is this? GITHUB_REPOSITORY is not set and {origin}. "
            "Set GITHUB_REPOSITORY=owner/name, or git remote add origin <its address>."
        )
    return match[1], match[2]


def _content(answer: "httpx.Response") -> Any:
    return answer.json() if answer.content else None


def _pause(answer: "httpx.Response", wait: float | None) -> float | None:
    """Return the seconds to wait before a retry, None if a retry would not help."""
    headers = answer.headers
    limited = answer.status_code == 429 or (
        answer.status_code == 403
        and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")
    )
    if answer.status_code < 500 and not limited:
        return None
    until = float(headers.get("x-ratelimit-reset", 0)) - time.time() if limited else 0
    pause = float(headers.get("retry-after") or max(until, wait or 0))
    return pause if pause <= PATIENCE else None


def _explain(method: str, url: str, answer: "httpx.Response", token: bool) -> str:
    """Return the request, GitHub's answer and the missing permission as one message."""
    try:
        content = answer.json()
        messages = [content.get("message", ""), *map(str, content.get("errors") or [])]
    except ValueError:
        messages = [answer.text[:200]]
    lines = [f"{method} {url}: GitHub answered {answer.status_code}: {'; '.join(messages)}"]
    if answer.status_code in (401, 403, 404):
        permission = answer.headers.get("x-accepted-github-permissions")
        if not token:
            lines.append("No token was given: set GITHUB_TOKEN or GH_TOKEN.")
        if permission:
            lines.append(f"The token needs the permission {permission}.")
    return " ".join(lines)
