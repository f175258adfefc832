"""Miniature services that BentoML really serves, and an environment to deploy them to."""

import http.client
import json
import socket
import threading
import time
from contextlib import chdir
from dataclasses import dataclass

import psutil
import pytest

from machinery.tests.waiting import HANG_SECONDS
from mlops.releases.environments import Environment
from mlops.releases.policy import Policy, Settings
from mlops.serving.client import served_release
from mlops.targets import local
from mlops.targets.slots import LiveFolder

SERVICE = """
import asyncio, os, pathlib, sys
import bentoml
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def version(request):
    return JSONResponse({{"release_id": {release_id}, "pid": os.getpid()}})

async def slow(request):
    begun, end = (pathlib.Path(request.query_params[name]) for name in ("begun", "end"))
    begun.touch()
    while not end.exists():
        await asyncio.sleep(0.01)
    # The signal that was sent is on its way: should it take longer, this only ends before it.
    await asyncio.sleep(1)
    return JSONResponse({{"release_id": {release_id}}})

@bentoml.service
@bentoml.asgi_app(Starlette(routes=[Route("/version", version), Route("/slow", slow)]))
class Mini:
    def __init__(self):
        {init}

    @bentoml.api
    def ping(self) -> str:
        return "pong"

    async def __is_ready__(self):
        return {ready}
"""
ITS_OWN = 'os.environ["MLOPS_RELEASE_ID"]'


@pytest.fixture
def bundle(tmp_path):
    """Makes a folder that `bentoml serve` starts, well or badly."""

    def make(release_id=ITS_OWN, init="pass", ready=True, imports=""):
        folder = tmp_path / "bundles" / str(len(list(tmp_path.glob("bundles/*"))))
        folder.mkdir(parents=True)
        code = SERVICE.format(release_id=release_id, init=init, ready=ready)
        (folder / "service.py").write_text(f"{imports}\n{code}")
        return folder

    return make


def free_port():
    """A port that nothing listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@dataclass
class Stage:
    """An environment, what is asked of it and what runs for it."""

    environment: Environment

    @property
    def url(self):
        """Where it answers."""
        return f"http://127.0.0.1:{self.environment.settings.port}"

    def with_settings(self, **changes):
        """The same environment after somebody edited settings.yaml."""
        settings = self.environment.settings.model_copy(update=changes)
        return Stage(Environment(self.environment.name, settings, self.environment.policy))

    def deploy(self, release_id, bundle, seconds=HANG_SECONDS):
        """Deploy as the step does."""
        return local.deploy(self.environment, release_id, bundle, seconds)

    def served(self):
        """The release that answers at the public port."""
        return served_release(self.url, HANG_SECONDS)

    def running(self):
        """How many services and proxies there are, counted in the table of processes."""
        path = str(LiveFolder(self.environment.name).path)
        lines = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
        ours = [line for line in lines if path in line and "driver" not in line]
        return sum(" serve " in line for line in ours), sum("proxy.py" in line for line in ours)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """An environment for a module's tests, with what they left live; in the end nothing runs."""
    settings = Settings.model_validate({"target": "local", "port": free_port()})
    policy = Policy.model_validate({"from": "build", "evidence": ()})
    stage = Stage(Environment("dev", settings, policy))
    with chdir(tmp_path_factory.mktemp("stage")):
        yield stage
        local.stop(stage.environment)
        assert stage.running() == (0, 0)


@pytest.fixture
def empty(stage):
    """The environment with nothing running."""
    local.stop(stage.environment)
    return stage


class Client(threading.Thread):
    """Asks without pause on one connection, until it is stopped; keeps the answers."""

    def __init__(self, url, keep):
        super().__init__(daemon=True)
        self.address = url.removeprefix("http://")
        self.keep = keep
        self.answers, self.problems = [], []
        self.stopped = threading.Event()

    def run(self):
        """Ask on one connection, or on a new one each time."""
        connection = http.client.HTTPConnection(self.address, timeout=HANG_SECONDS)
        while not self.stopped.is_set():
            try:
                connection.request("GET", "/version")
                self.answers.append(json.loads(connection.getresponse().read())["release_id"])
            except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
                self.problems.append(repr(error))
                connection.close()
                time.sleep(0.01)
            if not self.keep:
                connection.close()
            time.sleep(0.002)  # leave the processor to those that are tested
        connection.close()

    def end(self):
        """Stop asking."""
        self.stopped.set()
        self.join()
        return self


@pytest.fixture
def client():
    """Starts clients that ask without pause."""
    started = []

    def start(url, keep):
        started.append(Client(url, keep))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def port():
    """Another free port."""
    return free_port()
