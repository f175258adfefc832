"""The service as the image starts it: one process, or several below BentoML's supervisor."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from machinery.tests.waiting import HANG_SECONDS, wait_for
from mlops.serving import client


@contextmanager
def alone(unpacked, home, host="127.0.0.1", **environ):
    """Start the service; yields the process and its address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
        free.bind((host, 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlops.serving.alone", "--host", host, "--port", port]
    environ = {**os.environ, "BENTOML_HOME": str(home), **environ}
    with subprocess.Popen(
        command, cwd=unpacked / "src", env=environ, start_new_session=True
    ) as process:
        try:
            yield process, f"http://{f'[{host}]' if ':' in host else host}:{port}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)


def await_ready(process, url):
    """Wait until the model has scored a row."""
    wait_for(lambda: client.ready(url) or process.poll() is not None)
    assert process.poll() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_one_process_serves(unpacked, tmp_path, row, host):
    """It has neither supervisor nor children, and answers as the service does."""
    with alone(unpacked, tmp_path, host) as (process, url):
        await_ready(process, url)
        assert not psutil.Process(process.pid).children()
        options = {"json": {"rows": [row]}, "timeout": HANG_SECONDS, "trust_env": False}
        answer = httpx.post(f"{url}/predict", **options)
        assert answer.status_code == 200 and len(answer.json()["predictions"]) == 1
        process.terminate()
        assert process.wait(HANG_SECONDS) == 0


def test_several_workers_have_a_supervisor(unpacked, tmp_path):
    """With MLOPS_WORKERS above one, `bentoml serve` runs instead."""
    with alone(unpacked, tmp_path, MLOPS_WORKERS="2") as (process, url):
        await_ready(process, url)
        assert len(psutil.Process(process.pid).children()) == 2


def test_an_invalid_number_of_workers_is_an_error(unpacked, tmp_path):
    """The error names option and value, before anything is loaded."""
    command, environ = [sys.executable, "-m", "mlops.serving.alone"], {"MLOPS_WORKERS": "many"}
    done = subprocess.run(
        command,
        cwd=unpacked / "src",
        env={**os.environ, "BENTOML_HOME": str(tmp_path), **environ},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2 and "--workers: invalid int value: 'many'" in done.stderr


def test_connections_are_refused_until_it_is_ready(unpacked, tmp_path):
    """A client retries a refused connection elsewhere, but not one that waits."""
    with alone(unpacked, tmp_path) as (process, url):
        outcomes, how = [], {"trust_env": False, "timeout": HANG_SECONDS}

        def ready():
            assert process.poll() is None
            try:
                outcomes.append(httpx.get(f"{url}/livez", **how).status_code)
            except httpx.ConnectError:
                return False
            return client.ready(url)

        wait_for(ready)
        assert set(outcomes) == {200}


def test_a_signal_ends_it_during_its_start(unpacked, tmp_path):
    """The kernel ignores signals for a container's first process if it has no handler."""
    with alone(unpacked, tmp_path) as (process, url):
        wait_for(lambda: handles_sigterm(process.pid))
        process.terminate()
        assert process.wait(HANG_SECONDS) == 0 and not client.ready(url)


def handles_sigterm(pid):
    """Whether a process has a handler for SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(re.search(r"SigCgt:\s+(\w+)", status)[1], 16) >> (signal.SIGTERM - 1) & 1


def test_a_model_that_does_not_load_ends_it(unpacked, tmp_path):
    """The container ends and its engine sees it; nothing retries for ever."""
    bundle = shutil.copytree(unpacked, tmp_path / "bundle")
    (bundle / "src/trained/model.json").write_text("{}", "utf-8")
    with alone(bundle, tmp_path / "home") as (process, _):
        assert process.wait(HANG_SECONDS) == 3
