"""What a service says of itself over HTTP, asked from outside as any user would."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

# The services asked are on this machine or this network: a proxy for the internet is in the way.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout: float = 1.0) -> tuple[int, str]:
    """Return the status and text of an answer; status 0 and the reason where nothing answers."""
    try:
        with _OPENER.open(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__


def predict(url: str, rows: list[dict[str, Any]], timeout: float) -> dict[str, Any]:
    """Return what a service at `url` answers about rows.

    Raises OSError or HTTPException where nothing answers, ValueError for any answer but a 200.
    """
    body, headers = json.dumps({"rows": rows}).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/predict", body, headers)
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            words = error.read().decode(errors="replace")[:300]
            raise ValueError(f"{error.code} {words}") from None


def served(url: str, timeout: float = 1.0) -> str | None:
    """Return the id of the release that a service at `url` says it is; None if it does not say."""
    found = version(url, timeout).get("release_id")
    return found if isinstance(found, str) else None


def version(url: str, timeout: float = 1.0) -> dict[str, Any]:
    """Return all that a service at `url` says it is; nothing if it does not say."""
    status, text = get(f"{url}/version", timeout)
    try:
        found = json.loads(text) if status == 200 else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def ready(url: str) -> bool:
    """Say whether a service declares itself ready for requests."""
    return get(f"{url}/readyz")[0] == 200
