"""oras with retries, timeouts and the credentials of docker and GitHub."""

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


class _TimeoutAdapter(HTTPAdapter):
    """Sends every request with a timeout."""

    def send(self, request: Any, **options: Any) -> Any:  # pylint: disable=arguments-differ
        """Send with a limit on the time between two parts of the answer."""
        return super().send(request, **{**options, "timeout": options.get("timeout") or SECONDS})


class RegistryClient(Registry):
    """A connection to one registry, with the authentication that it demands."""

    def __init__(self, host: str, container: Container, loopback: bool) -> None:
        prefix = "http" if loopback else "https"
        session = _session(loopback)
        challenge = session.get(f"{prefix}://{host}/v2/").headers.get("WWW-Authenticate", "")
        backend = "basic" if challenge.lower().startswith("basic") else "token"
        super().__init__(host, insecure=loopback, auth_backend=backend)
        self.session = self.auth.session = session
        # oras reads the configuration in the home only; docker reads this folder.
        folder = os.environ.get("DOCKER_CONFIG")
        config = folder and f"{folder}/config.json"
        exists = config and os.path.exists(config)
        self.auth.load_configs(container, [config] if exists else None)
        token = os.environ.get("GITHUB_TOKEN")
        if host == "ghcr.io" and token and not hasattr(self.auth, "_basic_auth"):
            self.auth.set_basic_auth(os.environ.get("GITHUB_ACTOR", "token"), token)

    # Bypasses oras' own retries, which wait for minutes on any error; RETRIES takes seconds.
    def do_request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request; if the token allows reading only, send it again with a new token."""
        request = Registry.do_request.__wrapped__  # pylint: disable=no-member  # oras' decorator
        answer = request(self, *arguments, **options)
        if answer.status_code == 401 and getattr(self.auth, "token", None):
            self.auth.token = None
            answer = request(self, *arguments, **options)
        return answer


def _session(loopback: bool) -> requests.Session:
    session = requests.Session()
    # No proxy for services on this machine.
    session.trust_env = not loopback
    for prefix in ("http://", "https://"):
        session.mount(prefix, _TimeoutAdapter(max_retries=RETRIES))
    return session
