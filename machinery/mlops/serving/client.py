"""HTTP client of a prediction service."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

# No proxy: the services are on this machine or in this network.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout: float = 1.0) -> tuple[int, str]:
    """Return the status and text of the answer; without an answer, status 0 and the reason."""
    try:
        with _OPENER.open(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__


def predict(url: str, rows: list[dict[str, Any]], timeout: float) -> dict[str, Any]:
    """Return the answer of the service at `url` to a request for scores.

    Raises OSError or HTTPException without an answer, ValueError for any status but 200.
    """
    body, headers = json.dumps({"rows": rows}).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/predict", body, headers)
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode(errors="replace")[:300]
            raise ValueError(f"{error.code} {text}") from None


def served_release(url: str, timeout: float = 1.0) -> str | None:
    """Return the id of the release that the service at `url` reports, None if it reports none."""
    release_id = version(url, timeout).get("release_id")
    return release_id if isinstance(release_id, str) else None


def version(url: str, timeout: float = 1.0) -> dict[str, Any]:
    """Return the answer of the service at `url` to /version, {} if it is not as expected."""
    status, text = get(f"{url}/version", timeout)
    try:
        answer = json.loads(text) if status == 200 else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def ready(url: str) -> bool:
    """Return whether the service at `url` reports that it is ready for requests."""
    return get(f"{url}/readyz")[0] == 200
