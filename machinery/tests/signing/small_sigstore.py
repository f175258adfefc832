"""A small Sigstore on loopback: identities, certificates and a log, each with its own key.

The sigstore library verifies its answers like those of the public Sigstore: chain, embedded
timestamp of the certificate log (RFC 6962), inclusion proof, checkpoint and signed entry.
"""

import base64
import hashlib
import json
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ISSUER = "https://token.actions.githubusercontent.com"
# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
FULCIO_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
# The workflow that signs, and which repository, commit and ref its run built.
SOURCE = {
    "workflow": ObjectIdentifier("1.3.6.1.4.1.57264.1.9"),
    "repository": ObjectIdentifier("1.3.6.1.4.1.57264.1.12"),
    "commit": ObjectIdentifier("1.3.6.1.4.1.57264.1.13"),
    "ref": ObjectIdentifier("1.3.6.1.4.1.57264.1.14"),
}
# The older form, which Sigstore's command line reads: a repository without its server.
OLDER = {
    "repository": ObjectIdentifier("1.3.6.1.4.1.57264.1.5"),
    "ref": ObjectIdentifier("1.3.6.1.4.1.57264.1.6"),
}
SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "small")])


def new_key():
    """A key of the type that Sigstore's services use."""
    return ec.generate_private_key(ec.SECP256R1())


def sign(key, content):
    """A signature over bytes."""
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def b64(content):
    """Bytes as text for JSON."""
    return base64.b64encode(content).decode()


def der(key):
    """The public half of a key."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def log_id(key):
    """The id of a log, which is the digest of its key."""
    return hashlib.sha256(der(key)).digest()


class SmallSigstore:  # pylint: disable=too-many-instance-attributes  # three services in one
    """All services at one address; tests set identity and source, and the delay of log and clock.

    A source of None is left out of the certificate.
    """

    def __init__(self):
        self.ca, self.ct, self.rekor = new_key(), new_key(), new_key()
        self.identity = "https://github.com/o/r/.github/workflows/release.yml@refs/heads/main"
        self.source = {
            "repository": "https://github.com/o/r",
            "commit": "c" * 40,
            "ref": "refs/heads/main",
        }
        self.issuer = ISSUER
        self.late, self.behind = 0, timedelta()
        self.root = self._certify(NAME, self.ca.public_key(), authority=True)
        self.entries, self.failures = [], 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def now(self):
        """The time by its clock."""
        return datetime.now(UTC) - self.behind

    def token(self):
        """The identity token of the workflow's run."""
        now = int(time.time())
        claims = {"aud": "sigstore", "sub": "repo:o/r", "iss": ISSUER, "iat": now, "exp": now + 300}
        return jwt.encode(claims, "the client only passes this key on")

    def certificate(self, csr):
        """A short-lived certificate for the identity, with a timestamp of the certificate log."""
        key = x509.load_pem_x509_csr(base64.b64decode(csr)).public_key()
        serial = x509.random_serial_number()
        before = self._certify(x509.Name([]), key, serial)
        timestamps = x509.UnrecognizedExtension(SCT_LIST, self._timestamp(before))
        return self._certify(x509.Name([]), key, serial, timestamps)

    def _certify(self, subject, key, serial=1, timestamps=None, authority=False):
        now = self.now().replace(microsecond=0)
        # The authority's certificate is valid for a day before and after.
        length = timedelta(days=2) if authority else timedelta(minutes=10)
        begins = now - (length / 2 if authority else timedelta(seconds=5))
        ends = begins + length
        built = (
            x509.CertificateBuilder(NAME, subject, key, serial, begins, ends)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(_usage(authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca.public_key()), False
            )
        )
        if not authority:
            uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(self.identity)])
            code = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
            issuer = x509.UnrecognizedExtension(FULCIO_ISSUER, self.issuer.encode())
            built = built.add_extension(uri, True).add_extension(code, False)
            built = built.add_extension(issuer, False)
            for extension in self._source():
                built = built.add_extension(extension, False)
        if timestamps:
            built = built.add_extension(timestamps, False)
        return built.sign(self.ca, hashes.SHA256())

    def _source(self):
        """What the certificate says of the run: as short DER strings, and in the older form."""
        for name, value in {"workflow": self.identity, **self.source}.items():
            if value is not None:
                text = bytes([12, len(value)]) + value.encode()
                yield x509.UnrecognizedExtension(SOURCE[name], text)
        for name, oid in OLDER.items():
            if value := self.source.get(name):
                older = value.removeprefix("https://github.com/")
                yield x509.UnrecognizedExtension(oid, older.encode())

    def _timestamp(self, before):
        """The list of one signed timestamp that RFC 6962 puts into a certificate."""
        at, tbs = int(self.now().timestamp() * 1000), before.tbs_certificate_bytes
        entry = log_id(self.ca) + len(tbs).to_bytes(3, "big") + tbs
        body = struct.pack(f"!BBQH{len(entry)}sH", 0, 0, at, 1, entry, 0)
        signature = sign(self.ct, body)
        stamp = struct.pack("!B32sQHBBH", 0, log_id(self.ct), at, 0, 4, 3, len(signature))
        stamp += signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        return bytes([4, len(listed)] if len(listed) < 128 else [4, 0x81, len(listed)]) + listed

    def enter(self, proposed):
        """Add a DSSE envelope to the log, as the only leaf of a tree of its own."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        hashed = hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()
        whole = hashlib.sha256(content["envelope"].encode()).hexdigest()
        (verifier,) = content["verifiers"]
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": whole},
            "payloadHash": {"algorithm": "sha256", "value": hashed},
            "signatures": [
                {"signature": one["sig"], "verifier": verifier} for one in envelope["signatures"]
            ],
        }
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        self.entries.append(body)
        return {"entry": self._entered(body)}

    def _entered(self, body):
        root = hashlib.sha256(b"\x00" + body).digest()
        note = f"small\n1\n{b64(root)}\n"
        checkpoint = b64(log_id(self.rekor)[:4] + sign(self.rekor, note.encode()))
        entry = {
            "body": b64(body),
            "integratedTime": int(self.now().timestamp()) + self.late,
            "logID": log_id(self.rekor).hex(),
            "logIndex": 0,
        }
        proof = {
            "checkpoint": f"{note}\n\u2014 small {checkpoint}\n",
            "hashes": [],
            "logIndex": 0,
            "rootHash": root.hex(),
            "treeSize": 1,
        }
        promise = b64(sign(self.rekor, rfc8785.dumps(entry)))
        return {
            **entry,
            "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise},
        }

    def trust(self):
        """The ClientTrustConfig for its clients."""
        since = {"start": "2020-01-01T00:00:00Z"}

        def log(key):
            public = {"rawBytes": b64(der(key)), "validFor": since}
            public["keyDetails"] = "PKIX_ECDSA_P256_SHA_256"
            return {
                "baseUrl": self.url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": public,
                "logId": {"keyId": b64(log_id(key))},
            }

        chain = {"certificates": [{"rawBytes": b64(self.root.public_bytes(Encoding.DER))}]}
        authority = {
            "subject": {"organization": "small", "commonName": "small"},
            "uri": self.url,
            "certChain": chain,
            "validFor": since,
        }
        service = {"url": self.url, "majorApiVersion": 1, "validFor": since, "operator": "small"}
        prefix = "application/vnd.dev.sigstore"
        return {
            "mediaType": f"{prefix}.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": f"{prefix}.trustedroot+json;version=0.1",
                "tlogs": [log(self.rekor)],
                "certificateAuthorities": [authority],
                "ctlogs": [log(self.ct)],
                "timestampAuthorities": [],
            },
            "signingConfig": {
                "mediaType": f"{prefix}.signingconfig.v0.2+json",
                "caUrls": [service],
                "oidcUrls": [service],
                "rekorTlogUrls": [service],
                "tsaUrls": [],
            },
        }


def _usage(authority):
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    none = dict.fromkeys((*names, "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **none)


def _handler(sigstore):
    class Handler(BaseHTTPRequestHandler):
        """Implements the APIs of GitHub's tokens, Fulcio and Rekor."""

        def do_GET(self):  # pylint: disable=invalid-name  # http.server's name
            """Answer with a token if the client is allowed."""
            allowed = self.headers.get("Authorization", "").lower() == "bearer ask"
            self._answer(200 if allowed else 403, {"value": sigstore.token()} if allowed else {})

        def do_POST(self):  # pylint: disable=invalid-name
            """Answer with a certificate or a log entry."""
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if sigstore.failures:
                sigstore.failures -= 1
                self._answer(503, {})
                return
            if self.path == "/api/v2/signingCert":
                leaf = sigstore.certificate(request["certificateSigningRequest"])
                chain = [c.public_bytes(Encoding.PEM).decode() for c in (leaf, sigstore.root)]
                certified = {"chain": {"certificates": chain}}
                self._answer(200, {"signedCertificateEmbeddedSct": certified})
            elif self.path == "/api/v1/log/entries":
                self._answer(201, sigstore.enter(request))
            else:
                self._answer(404, {})

        def _answer(self, status, content):
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Log nothing."""

    return Handler
