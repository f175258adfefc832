"""The proxy: bytes pass unchanged, and kept connections move over between two requests."""

import http.client
import socket
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops.files import write_json
from mlops.targets import processes, proxy


class Backend(BaseHTTPRequestHandler):
    """Answers with its name and what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):  # pylint: disable=invalid-name  # the base class asks for this name
        """Echo."""
        self.server.begun.set()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.name.encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture
def backend():
    """Starts servers that answer with their name; each notes that the head of a request came."""
    servers = []

    def start(name, begun=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        server.daemon_threads, server.name = True, name
        server.begun = begun or threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def active(tmp_path):
    """The file that names the live release."""
    return tmp_path / "active.json"


@pytest.fixture
def connect(tmp_path, active):
    """Connects to a proxy that really runs."""
    folder, logs, opened = tmp_path / "proxy", tmp_path / "logs", []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, number = listener.getsockname(), listener.fileno()
        arguments = [str(part) for part in (folder, active, logs, number)]
        command = [sys.executable, "-I", proxy.__file__, *arguments]
        processes.start(folder, command, logs / "proxy.log", descriptors=(number,))

    def open_one():
        opened.append(http.client.HTTPConnection(*address, timeout=HANG_SECONDS))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
    processes.stop(folder, 0)
    assert "Traceback" not in (logs / "proxy.log").read_text("utf-8")


def ask(connection, body=b""):
    """Post a body and return the answer."""
    connection.request("POST", "/", body)
    return connection.getresponse().read()


def test_large_bodies_pass_unchanged(connect, backend, active):
    """Both ways, more than any buffer holds."""
    write_json(active, {"port": backend("a")})
    body = bytes(range(256)) * 40_000
    assert ask(connect(), body) == b"a" + body


def test_a_kept_connection_moves_between_requests(connect, backend, active):
    """And back; the client notices nothing."""
    a, b = backend("a"), backend("b")
    write_json(active, {"port": a})
    connection, answers = connect(), []
    for port in (a, b, b, a):
        write_json(active, {"port": port})
        answers.append(ask(connection))
    assert answers == [b"a", b"b", b"b", b"a"]


def test_a_request_that_has_begun_stays(connect, backend, active):
    """A body that comes in parts goes where its head went, whatever it looks like."""
    begun = threading.Event()
    write_json(active, {"port": backend("a", begun)})
    connection, trap = connect(), b"POST / HTTP/1.1\r\n"
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(len(trap)))
    connection.endheaders()
    assert begun.wait(HANG_SECONDS)
    write_json(active, {"port": backend("b")})
    connection.send(trap)
    assert connection.getresponse().read() == b"a" + trap


@pytest.mark.parametrize("content", [None, "{", "{}", '{"port": 1}'])
def test_without_a_release_the_answer_is_503(connect, active, content):
    """Nothing live, or a service that just died: clients get an answer in HTTP."""
    if content:
        active.write_text(content)
    connection = connect()
    connection.request("GET", "/version")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (503, b"no release is served\n")


def test_a_client_may_stop_sending(connect, backend, active):
    """One that closes its half after the request still gets the answer."""
    write_json(active, {"port": backend("a")})
    connection = connect()
    connection.connect()
    with closing(connection.sock) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        assert raw.makefile("rb").read().endswith(b"\r\n\r\na")


def test_a_long_log_is_set_aside(tmp_path, monkeypatch):
    """Its writers append, so that they go on at the start."""
    monkeypatch.setattr(proxy, "LOG_BYTES", 5)
    log = tmp_path / "r-1.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"many words")
        proxy.rotate(tmp_path)
        writer.write(b"on")
    assert (log.read_bytes(), (tmp_path / "r-1.log.1").read_bytes()) == (b"on", b"many words")
