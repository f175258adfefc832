"""A service with low limits rejects what exceeds them, over sockets: soon and clearly."""

import json
import socket
from contextlib import ExitStack
from http.client import HTTPConnection

from machinery.tests.waiting import HANG_SECONDS, paused

JSON = {"content-type": "application/json"}
HEAD = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n"


def connect(client, stack):
    """Open a connection that the stack closes."""
    address = (client.base_url.host, client.base_url.port)
    return stack.enter_context(socket.create_connection(address, timeout=HANG_SECONDS))


def count(client, metric):
    """The value of a metric with its labels."""
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric)), 0)


def test_requests_beyond_max_waiting_get_503(tight, row, worker_of):
    """Four of twenty are scored; the others get 503 at once."""
    body = json.dumps({"rows": [row]})
    connections = [HTTPConnection(tight.base_url.host, tight.base_url.port) for _ in range(20)]
    for connection in connections:
        connection.request("GET", "/version")
        connection.getresponse().read()
    with paused(worker_of(tight)):
        for connection in connections:
            connection.request("POST", "/predict", body)
    answers = [connection.getresponse() for connection in connections]
    assert sorted(answer.status for answer in answers) == [200] * 4 + [503] * 16
    assert {answer.headers["retry-after"] for answer in answers} == {None, "1"}


def test_bodies_that_take_too_much_memory_together_are_refused(tight, row, worker_of):
    """Each is below the limit, but not all together; memory that is freed is available again."""
    part = b" " * 250_000
    with ExitStack() as stack:
        # Those who come first are late soon: all of it is there before any of it is read.
        with paused(worker_of(tight)):
            connections = [connect(tight, stack) for _ in range(5)]
            for connection in connections:
                connection.sendall(HEAD.format(len(part) + 1).encode() + part)
        answers = [connection.recv(4096)[:12] for connection in connections]
    assert b"HTTP/1.1 503" in answers
    assert tight.post("/predict", json={"rows": [row]}).status_code == 200


def test_an_announced_size_is_refused_before_it_is_sent(tight):
    """The client need not send a body that is not read."""
    with ExitStack() as stack:
        connection = connect(tight, stack)
        connection.sendall(HEAD.format(2**40).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_rejected_bodies_are_freed(tight, worker_of):
    """Large invalid bodies, one after the other, do not increase the memory."""
    body, process, memory = b'{"rows":[{}]' + b" " * 250_000 + b"}", worker_of(tight), []
    for _ in range(200):
        assert tight.post("/predict", content=body, headers=JSON).status_code == 400
        memory.append(process.memory_info().rss)
    assert memory[-1] - memory[0] < 2e6


def test_nothing_is_in_flight_in_the_end(tight):
    """A request that is rejected, aborted or answered is no longer in flight."""
    assert count(tight, "mlops_in_flight") == 0
