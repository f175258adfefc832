"""The fixture `github`: a stand-in for the length of a test, and then GitHub's description of it.

tests/conftest.py hands it to every test; nothing is imported before it is asked for.
"""

from contextlib import contextmanager

import pytest


@pytest.fixture
def github():
    """GitHub, as far as this repository needs it; what was said is judged in the end."""
    from machinery.tests.github_api.standin import Standin

    standin = Standin()
    with serving(standin):
        yield standin
    judge(standin)


@contextmanager
def serving(standin, tls=None):
    """Serve a stand-in on a free port of this machine."""
    from machinery.tests.github_api import (  # pylint: disable=unused-import # they declare routes
        answers,
        owned,
    )
    from machinery.tests.github_api.standin import start

    server = start(standin, tls)
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()


def judge(standin) -> None:
    """Fail when anything said is not as GitHub describes it; without its description, nothing."""
    from machinery.tests.github_api import description

    assert not standin.broken, standin.broken[0]
    try:
        description.description()
    except pytest.skip.Exception:
        return  # machinery/tests/github_api/test_standin.py says that it could not be had.
    found = {mistake for call in standin.calls for mistake in description.mistakes(call)}
    assert not found, "\n".join(sorted(found))
