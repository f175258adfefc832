"""The workflows are executed, on throw-away repositories and a GitHub made of folders.

`repository` is a small copy of this tree with the regression of machinery/tests/fork; its method
`act` lets an event happen to one of its workflows, on this machine. What `uses:` names is played by
standins/, which carry real files, artifacts and commits.
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from machinery.tests.workflows.repositories import begin, copy
from machinery.tests.workflows.road import Road


class _Nothing(BaseHTTPRequestHandler):
    """Answers every request that what is asked for is not there."""

    def do_GET(self):  # pylint: disable=invalid-name # http.server's name
        """Answer at once, so that nobody tries again."""
        self.send_error(404)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):  # pylint: disable=arguments-differ
        """Say nothing."""


@pytest.fixture(scope="session")
def nothing():
    """The address of a GitHub that has nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Nothing)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def seed(tmp_path_factory, nothing):
    """The repository all others are copies of."""
    made = begin(tmp_path_factory.mktemp("seed"))
    made.api = nothing
    return made


@pytest.fixture
def repository(seed, tmp_path):
    """A repository of one's own."""
    return copy(seed, tmp_path / "home")


@pytest.fixture(scope="module")
def shared(seed, tmp_path_factory):
    """A repository that the tests of a module share."""
    return copy(seed, tmp_path_factory.mktemp("shared") / "home")


@pytest.fixture(scope="session")
def shipped(seed, tmp_path_factory):
    """A repository with a release in production: others are copies of it."""
    made = Road(copy(seed, tmp_path_factory.mktemp("shipped") / "home"))
    made.ship("dev", "staging", "production")
    made.end()
    return made.repository


@pytest.fixture(scope="module")
def road(shipped, tmp_path_factory):
    """A road of the module's own, with a release in production."""
    made = Road(copy(shipped, tmp_path_factory.mktemp("road") / "home"), begun=True)
    yield made
    made.end()
