"""A stand-in for GitHub: its REST API on a port of this machine, what is there in plain fields.

Tests set the fields, let the machinery talk to it, and read the fields again. Everything said is
kept in `calls` and held to GitHub's own description when the test ends.
"""

import json
import re
import ssl
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
ROUTES: list[tuple[str, re.Pattern, Callable]] = []


@dataclass(frozen=True)
class Call:
    """One request and its answer."""

    method: str
    path: str
    query: str
    body: Any
    status: int
    answer: Any


@dataclass
class Fault:
    """An answer given instead of the right one, `times` times, to requests that match."""

    method: str
    path: str
    status: int
    times: int = 1
    headers: dict[str, str] = field(default_factory=lambda: {"Retry-After": "0"})


@dataclass(frozen=True)
class Listing:
    """Items that are handed out in pages, in an object below `key` where GitHub does that."""

    items: list
    key: str = ""


@dataclass(frozen=True)
class File:
    """An answer that is bytes, from a storage that is not part of the API."""

    content: bytes


@dataclass(frozen=True)
class Elsewhere:
    """An answer that leads to another address."""

    address: str


class Refuse(Exception):
    """GitHub says no."""

    def __init__(self, status: int, message: str, *errors: dict) -> None:
        super().__init__(message)
        self.status = status
        self.content = {"message": message, "documentation_url": "https://docs.github.com/rest"}
        if errors:
            self.content["errors"] = list(errors)
        elif status != 422:
            self.content["status"] = str(status)


def route(method: str, path: str):
    """Declare what answers a request; {name} is one part of the path, {name+} the rest of it."""
    path = path if path.startswith("/") else f"/repos/{{repo+}}/{path}".rstrip("/")
    pattern = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+?)", path)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

    def declare(function: Callable) -> Callable:
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return declare


@dataclass
class Standin:  # pylint: disable=too-many-instance-attributes # as many as GitHub has drawers
    """What there is on GitHub. `git`, a bare repository, is where branches are when given."""

    repository: str = "owner/flights"
    git: Path | None = None
    url: str = ""
    about: dict = field(default_factory=dict)
    actors: dict[str, str] = field(default_factory=dict)
    users: dict[str, dict] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, dict] = field(default_factory=dict)
    comments: dict[int, dict] = field(default_factory=dict)
    labels: dict[str, dict] = field(default_factory=dict)
    rulesets: dict[int, dict] = field(default_factory=dict)
    parent_rulesets: dict[int, dict] = field(default_factory=dict)
    environments: dict[str, dict] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    environment_secrets: dict[str, list[str]] = field(default_factory=dict)
    workflows: dict[str, dict] = field(default_factory=dict)
    dispatches: list[tuple[str, str, dict]] = field(default_factory=list)
    runs: list[dict] = field(default_factory=list)
    artifacts: list[dict] = field(default_factory=list)
    # Of each deployment `environment`, `sha` and `run`; of each job of a run what it is called.
    deployments: list[dict] = field(default_factory=list)
    jobs: dict[int, list[dict]] = field(default_factory=dict)
    checks: dict[str, list[str]] = field(default_factory=dict)
    permissions: dict[str, dict] = field(default_factory=dict)
    runner_groups: list[dict] = field(default_factory=list)
    codeowners_errors: list[dict] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, list[str]] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    deaf: list[str] = field(default_factory=list)
    on_download: Callable[[], None] = lambda: None
    broken: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=RLock)

    @property
    def owner(self) -> str:
        """Who it belongs to."""
        return self.repository.partition("/")[0]

    def number(self) -> int:
        """Return a number nothing has yet."""
        return 1 + max([0, *self.pulls, *self.comments, *self.rulesets])

    def run_git(self, *words: str) -> str | None:
        """Run git in the bare repository; None where it fails."""
        done = subprocess.run(
            ["git", "-C", str(self.git), *words], capture_output=True, text=True, check=False
        )
        return None if done.returncode else done.stdout.strip()

    def branch(self, name: str) -> str | None:
        """Return the commit a branch points to."""
        if self.git is None:
            return self.branches.get(name)
        return self.run_git("rev-parse", "--verify", "--quiet", f"refs/heads/{name}")

    def said(self, method: str, path: str = "") -> list[Call]:
        """Return the calls of a method whose path ends so."""
        return [c for c in self.calls if c.method == method and c.path.endswith(path)]

    def environment(self, token: str = "token") -> dict[str, str]:
        """Return the variables that lead a program here."""
        return {
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_API_URL": self.url,
            "GITHUB_TOKEN": token,
        }


@dataclass(frozen=True)
class Request:
    """What a route sees of a request."""

    github: Standin
    query: dict[str, str]
    body: Any
    token: str

    @property
    def actor(self) -> str:
        """Who asks."""
        return self.github.actors.get(self.token, BOT)


class Handler(BaseHTTPRequestHandler):
    """Finds the route, notes the call, cuts lists into pages."""

    protocol_version = "HTTP/1.1"
    # An answer is sent in one piece: in two the second waits for 40 ms.
    wbufsize = -1
    github: Standin

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """Stay silent: the calls are kept."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api/v3")
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        token = (self.headers.get("Authorization") or "").rpartition(" ")[2]
        headers: dict[str, str] = {}
        with self.github.lock:
            try:
                self._fail(path, headers)
                status, answer = self._answer(path, Request(self.github, query, body, token))
            except Refuse as refusal:
                status, answer = refusal.status, refusal.content
            except Exception:  # pylint: disable=broad-exception-caught
                # A mistake of the stand-in's own: the test that met it fails.
                self.github.broken.append(traceback.format_exc())
                status, answer = 400, {"message": self.github.broken[-1]}
            if isinstance(answer, Elsewhere):
                headers["Location"], answer = answer.address, None
            if isinstance(answer, Listing):
                answer = _page(answer, query, self.github.url + path, headers)
            if not isinstance(answer, File):
                kept = json.loads(json.dumps(answer))
                self.github.calls.append(Call(self.command, path, parts.query, body, status, kept))
        self._send(status, answer, headers)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _fail(self, path: str, headers: dict[str, str]) -> None:
        for fault in self.github.faults:
            matches = re.fullmatch(fault.method, self.command) and re.search(fault.path, path)
            if matches and fault.times:
                fault.times -= 1
                headers |= fault.headers
                raise Refuse(fault.status, "out of order")

    def _answer(self, path: str, request: Request) -> tuple[int, Any]:
        for start, status in self.github.closed.items():
            if f"{self.command} {path}".startswith(start):
                raise Refuse(status, "Resource not accessible by integration")
        for method, pattern, function in ROUTES:
            found = pattern.fullmatch(path)
            if method == self.command and found:
                words = found.groupdict()
                if words.pop("repo", self.github.repository) == self.github.repository:
                    return function(request, **words)
        raise Refuse(404, "Not Found")

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        if isinstance(answer, File):
            content = answer.content
        else:
            content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _page(listing: Listing, query: dict, address: str, headers: dict[str, str]) -> Any:
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    items = listing.items[size * (page - 1) : size * page]
    if size * page < len(listing.items):
        kept = "&".join(f"{k}={v}" for k, v in (query | {"page": page + 1}).items())
        headers["Link"] = f'<{address}?{kept}>; rel="next"'
    return {"total_count": len(listing.items), listing.key: items} if listing.key else items


def start(github: Standin, tls: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    """Serve a stand-in on a free port until the server is shut down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"github": github}))
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
    github.url = f"{scheme}://{host}:{server.server_address[1]}"
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
