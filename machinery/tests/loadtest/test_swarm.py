"""Real Locust runs against services that are slow, fail or change."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops.config.params import LoadtestParams
from mlops.errors import UserError
from mlops.load.loadtest import judge
from mlops.load.swarm import FAILURES, run_locust
from mlops.targets import Live

pytestmark = pytest.mark.slow

# The test ends after REQUESTS, since a busy machine sends fewer in a fixed time.
LIMITS = LoadtestParams(
    users=4,
    spawn_rate=50,
    seconds=HANG_SECONDS,
    p95_ms=1000 * HANG_SECONDS,
    max_error_ratio=0.02,
    min_requests=50,
)
REQUESTS = 200
LOCUSTFILE = """
import gevent
from locust import FastHttpUser, between, task

class User(FastHttpUser):
    wait_time = between(0.01, 0.03)
    requests = 0

    @task
    def ask(self):
        User.requests += 1
        if User.requests == REQUESTS:
            # In a greenlet of its own: it ends every user, this one too.
            gevent.spawn(self.environment.runner.quit)
        self.client.get("/predict")
"""


class StandIn(ThreadingHTTPServer):
    """A service that is slow, fails, or becomes another release after some requests."""

    daemon_threads = True

    def __init__(self, slow=0.0, failing=(), changes_after=None):
        super().__init__(("127.0.0.1", 0), Answer)
        self.slow, self.failing, self.changes_after = slow, failing, changes_after
        self.requests = 0

    @property
    def release_id(self):
        """The release that it reports."""
        return "r-2" if self.changes_after and self.requests > self.changes_after else "r-1"


class Answer(BaseHTTPRequestHandler):
    """One connection to the stand-in."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name  # the base class asks for this name
        """Answer as the test demands."""
        status = 200
        if self.path == "/predict":
            time.sleep(self.server.slow)
            self.server.requests += 1
            status = 500 if self.server.requests in self.server.failing else 200
        body = json.dumps({"release_id": self.server.release_id}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Log nothing."""


def locustfile(requests):
    """A locustfile that ends the test after so many requests; None for never."""
    return LOCUSTFILE.replace("REQUESTS", str(requests))


@pytest.fixture
def attack(tmp_path, monkeypatch):
    """A function that runs Locust against a stand-in and returns the rules that did not pass."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loadtests").mkdir()
    (tmp_path / "loadtests/locustfile.py").write_text(locustfile(REQUESTS))

    def run(limits=LIMITS, **behaviour):
        with serving(StandIn(**behaviour)) as server:
            live = Live("r-1", f"http://127.0.0.1:{server.server_port}", "now")
            release_ids, run.traffic = run_locust(live, limits, None, tmp_path / "out")
        findings = judge("r-1", release_ids, run.traffic, limits)
        return {f.rule: str(f.verdict) for f in findings if f.verdict != "pass"}

    return run


@contextmanager
def serving(server):
    """Run a server in a thread."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_a_good_service_passes(attack):
    """It passes every rule."""
    assert attack() == {}


def test_the_test_takes_its_time(attack, tmp_path):
    """The import of the locustfile does not shorten the test."""
    limits = LIMITS.model_copy(update={"seconds": 2})
    file = tmp_path / "loadtests/locustfile.py"
    # Locust replaces time.sleep by one that runs gevent's loop, which sets its clock right.
    wait = f"get_original('time', 'sleep')({limits.seconds})"
    file.write_text(f"from gevent.monkey import get_original\n{wait}\n{locustfile(None)}")
    attack(limits)
    # With a wrong clock the time is up as soon as the users start.
    assert attack.traffic.seconds > limits.seconds / 2


def test_a_single_transient_failure_passes(attack, tmp_path):
    """It is counted and listed, and fails no rule."""
    assert attack(failing={60}) == {}
    assert "500" in (tmp_path / "out" / FAILURES).read_text()


def test_a_failing_service_fails(attack):
    """One request in ten fails."""
    assert attack(failing=range(0, REQUESTS, 10)) == {"L103": "fail"}


def test_a_slow_service_fails(attack, tmp_path):
    """Every answer takes one and a half times the budget."""
    (tmp_path / "loadtests/locustfile.py").write_text(locustfile(12))
    limits = LIMITS.model_copy(update={"p95_ms": 200, "min_requests": 1})
    assert attack(limits, slow=0.3) == {"L104": "fail"}


def test_another_release_ends_and_voids_the_test(attack, tmp_path):
    """It ends early: Locust has had no time to write its counts."""
    (tmp_path / "loadtests/locustfile.py").write_text(locustfile(None))
    assert attack(changes_after=50) == {"L101": "inconclusive"}
    assert not (tmp_path / "out/statistics.json").exists()


@pytest.mark.parametrize(
    "code, message",
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        (locustfile(10).replace("self.client.get", "self.no_such"), "has no attribute 'no_such'"),
        ("", "No User class found"),
    ],
    ids=["import", "task", "empty"],
)
def test_a_broken_locustfile_is_an_error(attack, tmp_path, code, message):
    """It gives no verdict, since an exception does not count as a request."""
    (tmp_path / "loadtests/locustfile.py").write_text(code)
    with pytest.raises(UserError, match=f"(?s)loadtests/locustfile.py.*{message}"):
        attack()
