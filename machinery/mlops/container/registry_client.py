"""oras, with the patience, the limits and the credentials that suit a step."""

import os
from typing import Any

import requests
from oras.container import Container
from oras.provider import Registry
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

SECONDS = 60
RETRIES = Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)


class _Patient(HTTPAdapter):
    """Never waits for ever."""

    def send(self, request: Any, **options: Any) -> Any:  # pylint: disable=arguments-differ
        """Send with a limit on the time between two pieces of an answer."""
        return super().send(request, **{**options, "timeout": options.get("timeout") or SECONDS})


class Client(Registry):
    """A connection to one registry, authenticated as it asks."""

    def __init__(self, host: str, container: Container, here: bool) -> None:
        prefix = "http" if here else "https"
        session = _session(here)
        asked = session.get(f"{prefix}://{host}/v2/").headers.get("WWW-Authenticate", "")
        kind = "basic" if asked.lower().startswith("basic") else "token"
        super().__init__(host, insecure=here, auth_backend=kind)
        self.session = self.auth.session = session
        # oras looks into the home only; docker looks where this says.
        folder = os.environ.get("DOCKER_CONFIG")
        elsewhere = folder and f"{folder}/config.json"
        known = elsewhere and os.path.exists(elsewhere)
        self.auth.load_configs(container, [elsewhere] if known else None)
        token = os.environ.get("GITHUB_TOKEN")
        if host == "ghcr.io" and token and not hasattr(self.auth, "_basic_auth"):
            self.auth.set_basic_auth(os.environ.get("GITHUB_ACTOR", "token"), token)

    # Ours retries what may pass, within seconds; that of oras waits for minutes on any mistake.
    def do_request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Ask once more with a new token where the one at hand was for reading only."""
        ask = Registry.do_request.__wrapped__  # pylint: disable=no-member  # of their decorator
        answer = ask(self, *arguments, **options)
        if answer.status_code == 401 and getattr(self.auth, "token", None):
            self.auth.token = None
            answer = ask(self, *arguments, **options)
        return answer


def _session(here: bool) -> requests.Session:
    session = requests.Session()
    # A proxy for the internet is in the way of what runs on this machine.
    session.trust_env = not here
    for prefix in ("http://", "https://"):
        session.mount(prefix, _Patient(max_retries=RETRIES))
    return session
