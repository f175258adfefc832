"""A miniature team in a repository of its own, its packed model and one running service."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

import mlops
from machinery.tests.waiting import HANG_SECONDS, wait_for
from mlops.files import write_json
from mlops.releases.release import read_release
from mlops.training import record

ROOT = Path(mlops.__file__).parents[2]
RELEASE_ID = "mini-20260101-0001-0123456789ab"
TIGHT = {"max_waiting": 4, "max_held_mb": 1, "arrive_seconds": 0.5, "max_connections": 40}

DATA = """
import hashlib
import pandas as pd
import pandera.pandas as pa

TARGET, TIME = "late", "day"
SCHEMA = pa.DataFrameSchema(
    {
        "day": pa.Column(pa.DateTime),
        "size": pa.Column("int16", pa.Check.in_range(1, 100), description="size in metres"),
        "weight": pa.Column("float32", pa.Check.in_range(0, 50), nullable=True),
        "color": pa.Column(str, pa.Check.isin(["red", "green", "blue"])),
        "kind": pa.Column(str, pa.Check.isin(["a", "b"]), nullable=True),
        "town": pa.Column(str, pa.Check.str_matches(r"^[A-Z]{3}$")),
        "late": pa.Column("int8", pa.Check.isin([0, 1])),
    },
    strict=True,
)

def partitions():
    return ["one", "two"]

def load(name):
    days = pd.date_range("2026-01-01" if name == "one" else "2026-02-01", periods=30)
    frame = pd.DataFrame({"day": days})
    frame["size"] = [1 + i % 100 for i in range(30)]
    frame["weight"] = [None if i % 3 else i / 2 for i in range(30)]
    frame["color"] = [["red", "green", "blue"][i % 3] for i in range(30)]
    frame["kind"] = [None if i % 5 else "a" for i in range(30)]
    frame["town"] = ["ABC" if i % 2 else "XYZ" for i in range(30)]
    frame["late"] = [i % 2 for i in range(30)]
    types = {"size": "int16", "weight": "float32", "late": "int8"}
    return frame.astype(types), "sha256:" + hashlib.sha256(name.encode()).hexdigest()
"""

MODEL = """
import json
import numpy as np
from pydantic import BaseModel

METRICS = ("brier",)

class Params(BaseModel):
    slope: float

def train(frame, target, params, *, device, threads, seed):
    return {"slope": params.slope, "towns": sorted(set(frame["town"]))}

def save(model, folder):
    (folder / "model.json").write_text(json.dumps(model))

def load(folder):
    return json.loads((folder / "model.json").read_text())

def predict(model, columns):
    size = np.asarray(columns["size"], dtype=np.float64)
    weight = np.nan_to_num(np.asarray(columns["weight"], dtype=np.float64))
    familiar = [town in model["towns"] for town in columns["town"]]
    if "QQX" in columns["town"]:
        raise KeyError("a mistake in the model")
    if "QQY" in columns["town"]:
        return np.full(len(size), np.nan)
    return 1 / (1 + np.exp(-model["slope"] * (size + weight) / 100 - familiar))
"""

PARAMS = """
name: mini
store: build/store
data: {}
model: {slope: 0.5}
serve: {max_rows: 50, ready_seconds: 300}
"""


@dataclass(frozen=True)
class Checkout:
    """A clone of a team's repository."""

    path: Path

    def run(self, *arguments):
        """Run a step in the checkout, in a process of its own."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env=self.environ,
            text=True,
            capture_output=True,
            check=False,
        )

    @staticmethod
    def command(*arguments):
        """The command of a step."""
        return [sys.executable, "-m", "mlops", *arguments]

    @property
    def environ(self):
        """The environment of its processes, with a home of their own."""
        inherited = {k: v for k, v in os.environ.items() if k != "BENTOML_HOME"}
        inherited["PYTHONPATH"] = str(self.path / "machinery")
        return {**inherited, "HOME": str(self.path.parent / "home"), "OMP_NUM_THREADS": "1"}

    def git(self, *arguments):
        """Run git in the checkout with a fixed author, and return its output."""
        author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        command = ["git", *author, *arguments]
        return subprocess.check_output(command, cwd=self.path, text=True).strip()

    def write(self, name, text):
        """Write a file in the checkout."""
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def commit(self):
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")

    def train(self):
        """Commit everything, train, and write a verdict of the gate that passes."""
        self.commit()
        trained = self.run("train")
        assert trained.returncode == 0, trained.stderr
        self.judge("pass")

    def judge(self, verdict):
        """Write the gate's verdict on the current record."""
        content = json.loads((self.path / "build/record.json").read_text())
        content.setdefault("evaluation", {"metrics": {}})
        write_json(self.path / "build/record.json", content)
        judgement = {
            "verdict": verdict,
            "reason": "All is well.",
            "record": record.record_digest(content),
            "at": "2026-01-02T03:04:05Z",
        }
        write_json(self.path / "build/verdict.json", judgement)

    @property
    def release(self):
        """The newest release of the checkout."""
        return read_release(self.path / "build/release.yaml")

    @property
    def bundle(self):
        """The bundle of that release, in the store."""
        digest = self.release.promoted.bundle.digest.removeprefix("sha256:")
        return self.path / f"build/store/sha256/{digest[:2]}/{digest}.tar"


def copy(checkout, folder):
    """Copy a checkout with its build folder."""
    return Checkout(Path(shutil.copytree(checkout.path, folder / "checkout", symlinks=True)))


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """The miniature team's repository after training; never changed."""
    mini = Checkout(tmp_path_factory.mktemp("trained") / "checkout")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "machinery/mlops", mini.path / "machinery/mlops", ignore=ignore)
    for name in ("requirements-serve.txt", "Dockerfile"):
        shutil.copy(ROOT / name, mini.path)
    mini.write("data/__init__.py", DATA)
    mini.write("model/__init__.py", MODEL)
    mini.write("params.yaml", PARAMS)
    mini.write(".gitignore", "/build/\n__pycache__/\n")
    mini.git("init", "--quiet", "--initial-branch", "main")
    mini.train()
    return mini


@pytest.fixture
def checkout(trained_once, tmp_path):
    """A repository after training, for one test to change."""
    return copy(trained_once, tmp_path)


@pytest.fixture(scope="session")
def packaged_once(trained_once, tmp_path_factory):
    """The repository after packaging; never changed."""
    mini = copy(trained_once, tmp_path_factory.mktemp("packaged"))
    done = mini.run("package")
    assert done.returncode == 0, done.stderr
    return mini


@pytest.fixture(scope="session")
def unpacked(packaged_once, tmp_path_factory):
    """The folder of the unpacked bundle."""
    from mlops.releases.bundle import unpack

    into = tmp_path_factory.mktemp("unpacked") / "bundle"
    return unpack(packaged_once.bundle, packaged_once.release.promoted.bundle.digest, into)


@contextmanager
def _serving(bundle, folder, **environ):
    """Serve a bundle on a free port, from a folder whose own `model` must not be used."""
    for name in ("model", "data", "mlops"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('not from the bundle')")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [Path(sys.executable).with_name("bentoml"), "serve", bundle, *address],
        cwd=folder,
        env={**os.environ, "BENTOML_HOME": str(folder / "home"), **environ},
        stdout=(folder / "server.log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            yield _when_ready(f"http://127.0.0.1:{port}", folder / "server.log")
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _when_ready(url, log):
    client = httpx.Client(base_url=url, trust_env=False, timeout=HANG_SECONDS)

    def ready():
        try:
            return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    wait_for(ready, log.read_text)
    return client


@pytest.fixture(scope="session")
def serving():
    """A context manager that serves a bundle."""
    return _serving


@pytest.fixture(scope="session")
def worker_of():
    """A function that finds the process that answers a client."""

    def find(client):
        return next(
            process
            for process in psutil.Process().children(recursive=True)
            if "_bentoml_impl.worker.service" in process.cmdline()
            and any(one.laddr.port == client.base_url.port for one in process.net_connections())
        )

    return find


@pytest.fixture(scope="session")
def served(unpacked, tmp_path_factory):
    """A folder, and a client of the service that runs from it and logs to its `predictions`."""
    folder = tmp_path_factory.mktemp("served")
    release = {"MLOPS_RELEASE_ID": RELEASE_ID, "MLOPS_ENVIRONMENT": "dev"}
    log = {"MLOPS_PREDICTIONS": str(folder / "predictions")}
    with _serving(unpacked, folder, **release, **log) as client:
        yield folder, client


@pytest.fixture(scope="session")
def tight(unpacked, tmp_path_factory, serving):
    """A client of a service with low limits."""
    folder = tmp_path_factory.mktemp("tight")
    bundle = shutil.copytree(unpacked, folder / "bundle")
    content = json.loads((bundle / "src/record.json").read_text())
    content["params"]["values"]["serve"] |= TIGHT
    (bundle / "src/record.json").write_text(json.dumps(content))
    (folder / "run").mkdir()
    with serving(bundle, folder / "run") as client:
        yield client


@pytest.fixture
def client(served):
    """A client of the running service."""
    return served[1]


@pytest.fixture
def row():
    """A row that the service takes."""
    return {"size": 5, "weight": 1.5, "color": "red", "kind": None, "town": "ABC"}
