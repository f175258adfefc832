"""Slow clients lose their connection, on real sockets; other clients are not affected."""

import json
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPResponse

import pytest

from machinery.tests.waiting import HANG_SECONDS, paused, wait_for

POST = b"POST /predict HTTP/1.1\r\nhost: x\r\n"
GET = b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n"
SLOW = 'mlops_refused_total{reason="slow"}'


@pytest.fixture
def connect(tight):
    """A function that opens a connection, which the test closes at its end."""
    with ExitStack() as stack:
        address = (tight.base_url.host, tight.base_url.port)
        yield lambda: stack.enter_context(socket.create_connection(address, timeout=HANG_SECONDS))


def slow_requests(client):
    """The number of requests that were too slow so far."""
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(SLOW))


def status(connection):
    """Read the next answer and return its status."""
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def rest(connection):
    """All bytes until the service closes the connection."""
    return b"".join(iter(lambda: connection.recv(2**16), b""))


def trickle(connection, part):
    """Send the same bytes again and again until there is an answer; return it."""

    def answered():
        if select.select([connection], [], [], 0.05)[0]:
            return True
        connection.sendall(part)
        return False

    wait_for(answered)
    return connection.recv(4096)


@pytest.mark.parametrize("begun", [b"", POST, POST + b"content-length: 99\r\n\r\n{"])
def test_a_client_that_stops_gets_408_and_is_disconnected(tight, connect, begun):
    """It stops before, within or after the head of its request."""
    before = slow_requests(tight)
    connection = connect()
    connection.sendall(begun)
    answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408") and b"within 0.5 s" in answer
    assert slow_requests(tight) == before + 1


@pytest.mark.parametrize(
    "begun, part",
    [(POST, b"x: y\r\n"), (POST + b"x: ", b"y"), (POST + b"content-length: 99\r\n\r\n{", b" ")],
)
def test_a_trickle_buys_no_time(connect, begun, part):
    """It sends a header, a byte of a header, or a byte of the body now and then."""
    connection = connect()
    connection.sendall(begun)
    assert trickle(connection, part).startswith(b"HTTP/1.1 408")


def test_blank_lines_after_an_answer_buy_no_time(connect):
    """They start no request, but keep uvicorn from closing an idle connection."""
    connection = connect()
    connection.sendall(GET)
    assert status(connection) == 200
    assert trickle(connection, b"\r\n") == b""


def test_half_a_request_after_a_whole_one_buys_no_time(connect):
    """Both are sent together; the whole one is answered."""
    connection = connect()
    connection.sendall(GET + POST)
    assert status(connection) == 200
    assert rest(connection) == b""


def test_a_client_that_does_not_read_is_disconnected(tight, connect, worker_of):
    """Neither its answers nor its requests fill the memory."""
    connection = connect()
    connection.setblocking(False)
    worker = worker_of(tight)
    before = worker.memory_info().rss

    def ask_on():
        if select.select([], [connection], [], 0.05)[1]:
            connection.send(GET.replace(b"version", b"docs.json") * 100)

    with pytest.raises(ConnectionError):
        wait_for(ask_on)
    assert worker.memory_info().rss - before < 100e6


def test_many_requests_at_once_are_all_answered(connect, row):
    """Requests that wait behind others of the same client are not late, even if sent in parts."""
    body = json.dumps({"rows": [row]}).encode()
    head = POST + b"content-length: %d\r\n\r\n" % len(body)
    connection = connect()
    with ThreadPoolExecutor(1) as other:
        sent = other.submit(connection.sendall, (head + body) * 3000)
        received = b""
        while received.count(b"HTTP/1.1 200") < 3000:
            assert (part := connection.recv(2**16)), received[-500:]
            received += part
        sent.result()


def test_an_idle_connection_may_be_used_again(connect):
    """A pause between two requests is allowed."""
    connection = connect()
    for _ in range(2):
        connection.sendall(GET)
        assert status(connection) == 200
        time.sleep(0.8)


def test_slow_clients_delay_no_other(tight, connect, row):
    """Many of them keep a connection open, and another client's row is scored."""
    for _ in range(20):
        connect().sendall(POST)
    assert tight.post("/predict", json={"rows": [row]}).status_code == 200


def test_connections_beyond_the_limit_get_503(tight, connect, row, worker_of):
    """Forty are served, some more only for probes; closed ones make room again."""
    # The client keeps one connection open itself.
    assert tight.get("/version").status_code == 200
    open_connections = []
    for _ in range(39):
        open_connections.append(connect())
        open_connections[-1].sendall(GET)
        assert status(open_connections[-1]) == 200
    body = json.dumps({"rows": [row]}).encode()
    excess = connect()
    excess.sendall(POST + b"content-length: %d\r\n\r\n%b" % (len(body), body))
    answer = rest(excess)
    assert answer.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in answer
    probe = connect()
    for path in (b"livez", b"readyz", b"metrics"):
        probe.sendall(b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n" % path)
        assert status(probe) == 200
    # All at once: the first ones would soon be late and make room for the others.
    with paused(worker_of(tight)):
        connections = [connect() for _ in range(50)]
    answers = [rest(connection) for connection in connections]
    assert sum(answer.startswith(b"HTTP/1.1 503") for answer in answers) >= 18
    for connection in open_connections:
        connection.close()
    wait_for(lambda: tight.post("/predict", json={"rows": [row]}).status_code == 200)


def test_no_connection_is_upgraded(connect):
    """A WebSocket connection would escape these limits."""
    connection = connect()
    headers = (b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13")
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    connection.sendall(GET.strip() + b"\r\n" + b"\r\n".join((*headers, key, b"", b"")))
    assert status(connection) == 200
