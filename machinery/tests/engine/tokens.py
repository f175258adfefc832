"""Who gives a registry's tokens out, as GitHub's does: by user, password and what is asked for.

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

# What each may do; anybody may pull.
MAY = {"writer:secret": {"pull", "push"}, "reader:secret": {"pull"}}


class Authority:
    """Signs tokens that a registry which trusts its certificate accepts."""

    def __init__(self, seconds: int = 300) -> None:
        self.seconds, self.asked = seconds, []
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(name, name, self._key.public_key(), 1)
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(1))
        self._certificate = made.sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        """What the registry is told to trust, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def token(self, user: str, scopes: list[str]) -> str:
        """Sign what this user may do of what is asked for, `repository:NAME:pull,push` each."""
        access = []
        for scope in " ".join(scopes).split():
            kind, rest = scope.split(":", 1)
            name, actions = rest.rsplit(":", 1)
            # A registry names them in any order.
            wanted = set(actions.split(","))
            self.asked.append((user, name, wanted))
            granted = sorted(MAY.get(user, {"pull"}) & wanted)
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {"iss": "tokens", "aud": "registry", "sub": user, "access": access}
        # A registry forgives a minute.
        claims |= {"nbf": now - 60, "iat": now, "exp": now + self.seconds - 60}
        chain = base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER))
        return jwt.encode(claims, self._key, "ES256", headers={"x5c": [chain.decode()]})


@contextmanager
def serving(authority: Authority):
    """Serve tokens; yields the address to ask for them."""

    class Handler(BaseHTTPRequestHandler):
        """Gives a token to who names a known user, or none."""

        def do_GET(self):  # pylint: disable=invalid-name # http.server's name
            """Answer as the specification has it."""
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            user = base64.b64decode(given).decode()
            if user and user not in MAY:
                self.send_error(401)
                return
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            body = json.dumps({"token": authority.token(user, scopes)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()
