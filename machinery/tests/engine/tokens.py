"""A token service for a registry, like GitHub's: it checks user, password and scope.

https://distribution.github.io/distribution/spec/auth/token/ and .../auth/jwt/.
"""

import base64
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# The actions that each user may do; anybody may pull.
PERMISSIONS = {"writer:secret": {"pull", "push"}, "reader:secret": {"pull"}}


class Authority:
    """Signs tokens that a registry which trusts its certificate accepts."""

    def __init__(self, seconds: int = 300) -> None:
        self.seconds, self.requests = seconds, []
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), 1)
        builder = builder.not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(1))
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        """The certificate that the registry trusts, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def token(self, user: str, scopes: list[str]) -> str:
        """Return a token for the allowed part of the scopes, each `repository:NAME:pull,push`."""
        access = []
        for scope in " ".join(scopes).split():
            kind, rest = scope.split(":", 1)
            name, actions = rest.rsplit(":", 1)
            # A registry names the actions in any order.
            requested = set(actions.split(","))
            self.requests.append((user, name, requested))
            granted = sorted(PERMISSIONS.get(user, {"pull"}) & requested)
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {"iss": "tokens", "aud": "registry", "sub": user, "access": access}
        # A registry tolerates a minute of difference between clocks.
        claims |= {"nbf": now - 60, "iat": now, "exp": now + self.seconds - 60}
        chain = base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER))
        return jwt.encode(claims, self._key, "ES256", headers={"x5c": [chain.decode()]})


@contextmanager
def serving(authority: Authority):
    """Serve tokens; yields the address to ask for them."""

    class Handler(BaseHTTPRequestHandler):
        """Gives a token to a known user, and to a client without a user."""

        def do_GET(self):  # pylint: disable=invalid-name # http.server's name
            """Answer as the specification demands."""
            credentials = self.headers.get("Authorization", "").removeprefix("Basic ")
            user = base64.b64decode(credentials).decode()
            if user and user not in PERMISSIONS:
                self.send_error(401)
                return
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            body = json.dumps({"token": authority.token(user, scopes)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()
