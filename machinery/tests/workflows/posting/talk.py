"""What CML says to GitHub about a comment, as it finds its own."""

import json
import os
import urllib.request


def ask(method: str, path: str, token: str, body=None):
    """Send a request and return the answer."""
    base = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    request = urllib.request.Request(
        f"{base}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def post(number: str, token: str, body: str, is_ours) -> None:
    """Edit the newest comment that is ours, or make one."""
    comments = ask("GET", f"issues/{number}/comments", token)
    ours = [one["id"] for one in comments if is_ours(one)]
    if ours:
        ask("PATCH", f"issues/comments/{ours[-1]}", token, {"body": body})
    else:
        ask("POST", f"issues/{number}/comments", token, {"body": body})
