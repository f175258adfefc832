"""Clients that let a service wait lose their connection, on real sockets; others notice nothing."""

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
    """A way to make connections, which end with the test."""
    with ExitStack() as stack:
        address = (tight.base_url.host, tight.base_url.port)
        yield lambda: stack.enter_context(socket.create_connection(address, timeout=HANG_SECONDS))


def refused(client):
    """How many requests were too slow until now."""
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(SLOW))


def status(connection):
    """The status of the next answer, all of which is read."""
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def rest(connection):
    """All that is still to come before the service ends the connection."""
    return b"".join(iter(lambda: connection.recv(2**16), b""))


def trickle(connection, part):
    """Send a part again and again until there is an answer; return it."""

    def answered():
        if select.select([connection], [], [], 0.05)[0]:
            return True
        connection.sendall(part)
        return False

    wait_for(answered)
    return connection.recv(4096)


@pytest.mark.parametrize("begun", [b"", POST, POST + b"content-length: 99\r\n\r\n{"])
def test_who_stops_is_told_and_ended(tight, connect, begun):
    """Before, in the middle of, or after the head."""
    before = refused(tight)
    connection = connect()
    connection.sendall(begun)
    answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408") and b"within 0.5 s" in answer
    assert refused(tight) == before + 1


@pytest.mark.parametrize(
    "begun, part",
    [(POST, b"x: y\r\n"), (POST + b"x: ", b"y"), (POST + b"content-length: 99\r\n\r\n{", b" ")],
)
def test_a_trickle_buys_no_time(connect, begun, part):
    """A header, a byte of one or of a body now and then."""
    connection = connect()
    connection.sendall(begun)
    assert trickle(connection, part).startswith(b"HTTP/1.1 408")


def test_blank_lines_after_an_answer_buy_no_time(connect):
    """They begin no request, and keep uvicorn from ending an idle connection."""
    connection = connect()
    connection.sendall(GET)
    assert status(connection) == 200
    assert trickle(connection, b"\r\n") == b""


def test_half_a_request_after_a_whole_one_buys_no_time(connect):
    """Sent together: the whole one is answered."""
    connection = connect()
    connection.sendall(GET + POST)
    assert status(connection) == 200
    assert rest(connection) == b""


def test_who_does_not_read_is_ended(tight, connect, worker_of):
    """Neither answers nor requests without end fill the memory."""
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
    """Those that wait behind others of the same client are not late, however they were cut."""
    asked = json.dumps({"rows": [row]}).encode()
    head = POST + b"content-length: %d\r\n\r\n" % len(asked)
    connection = connect()
    with ThreadPoolExecutor(1) as other:
        sent = other.submit(connection.sendall, (head + asked) * 3000)
        received = b""
        while received.count(b"HTTP/1.1 200") < 3000:
            assert (part := connection.recv(2**16)), received[-500:]
            received += part
        sent.result()


def test_an_idle_connection_may_be_used_again(connect):
    """Between requests a client takes its time."""
    connection = connect()
    for _ in range(2):
        connection.sendall(GET)
        assert status(connection) == 200
        time.sleep(0.8)


def test_slow_clients_keep_nobody_waiting(tight, connect, row):
    """However many hold a connection open, another's row is scored meanwhile."""
    for _ in range(20):
        connect().sendall(POST)
    assert tight.post("/predict", json={"rows": [row]}).status_code == 200


def test_too_many_connections_are_told_to_come_back(tight, connect, row, worker_of):
    """Forty are heard, some more only where they are probes; then there is room again."""
    # It keeps a connection of its own.
    assert tight.get("/version").status_code == 200
    held = []
    for _ in range(39):
        held.append(connect())
        held[-1].sendall(GET)
        assert status(held[-1]) == 200
    body = json.dumps({"rows": [row]}).encode()
    asked = connect()
    asked.sendall(POST + b"content-length: %d\r\n\r\n%b" % (len(body), body))
    told = rest(asked)
    assert told.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in told
    probed = connect()
    for path in (b"livez", b"readyz", b"metrics"):
        probed.sendall(b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n" % path)
        assert status(probed) == 200
    # Those who are heard would soon be late and make room, were they not to come all at once.
    with paused(worker_of(tight)):
        many = [connect() for _ in range(50)]
    assert len([one for one in map(rest, many) if one.startswith(b"HTTP/1.1 503")]) >= 18
    for connection in held:
        connection.close()
    wait_for(lambda: tight.post("/predict", json={"rows": [row]}).status_code == 200)


def test_no_connection_is_upgraded(connect):
    """As a WebSocket it would be out of reach of these limits."""
    connection = connect()
    asked = (b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13")
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    connection.sendall(GET.strip() + b"\r\n" + b"\r\n".join((*asked, key, b"", b"")))
    assert status(connection) == 200
