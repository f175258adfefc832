"""Runs Locust against a live service; returns the releases that answered, and Locust's counts.

The verdict does not depend on Locust's exit code, which a single failed request would change.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mlops.config.params import LoadtestParams
from mlops.errors import UserError
from mlops.files import read_json
from mlops.load.loadtest import Traffic, read_traffic
from mlops.serving import client
from mlops.targets import Live

FAILURES = "statistics_failures.csv"
LOCUSTFILE = "loadtests/locustfile.py"
CLOCK = Path(__file__).with_name("swarm_clock.py")
# The time for running requests to finish at the end; later ones are not counted.
STOP_SECONDS = 5
# The time in addition to the test, for Locust and its users to start (0.7 s) and stop.
SPARE_SECONDS = 60
LOG_LINES = 15


def run_locust(
    live: Live,
    limits: LoadtestParams,
    newest: str | None,
    folder: Path,
    max_rows: int | None = None,
) -> tuple[list[str | None], Traffic]:
    """Return the ids of the releases that answered, the last one after the test, and the counts.

    `newest` is the newest partition in use, None for the newest of all; `max_rows` are the most in
    one request, None for any number. Locust writes to `folder`.
    If another release answered, the counts are empty. Raises UserError if Locust fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    statistics, log = folder / "statistics.json", folder / "locust.log"
    statistics.unlink(missing_ok=True)
    # The locustfile does not read params.yaml, so it gets these in variables.
    variables = {"LOADTEST_NEWEST": newest or "", "LOADTEST_MAX_ROWS": str(max_rows or "")}
    # Without users, Locust imports pytest, whose plugins take four seconds to load.
    no_plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ = {**os.environ, **no_plugins, **variables}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            _command(live, limits, statistics), stdout=output, stderr=subprocess.STDOUT, env=environ
        ) as locust,
    ):
        try:
            release_ids = _watch(live, limits, locust)
            exit_code = locust.poll()
        finally:
            locust.kill()
    release_ids.append(client.served_release(live.url, timeout=10))
    if not _only_live(live, release_ids):
        return release_ids, Traffic(0, 0, {})
    output = log.read_text("utf-8", "replace")
    # Locust does not count an error in the locustfile as a request, so it would stay hidden.
    if exit_code != 0 or not statistics.exists() or "Traceback (most recent call last)" in output:
        raise UserError(_crash_message(exit_code, log, output))
    return release_ids, read_traffic(read_json(statistics, made_by="loadtest"))


def _watch(live: Live, limits: LoadtestParams, locust: subprocess.Popen) -> list[str | None]:
    """Ask for the release each second until Locust ends, is overdue or tests another release."""
    release_ids: list[str | None] = []
    spare = limits.users / limits.spawn_rate + SPARE_SECONDS
    deadline = time.monotonic() + limits.seconds + spare
    while locust.poll() is None and _only_live(live, release_ids) and time.monotonic() < deadline:
        release_ids.append(client.served_release(live.url))
        with contextlib.suppress(subprocess.TimeoutExpired):
            locust.wait(1)
    return release_ids


def _only_live(live: Live, release_ids: list[str | None]) -> bool:
    return set(release_ids) <= {live.release_id, None}


def _command(live: Live, limits: LoadtestParams, statistics: Path) -> list[str]:
    options: dict[str, Any] = {
        "--locustfile": f"{LOCUSTFILE},{CLOCK}",
        "--host": live.url,
        "--users": limits.users,
        "--spawn-rate": f"{limits.spawn_rate:g}",
        "--run-time": f"{max(1, round(limits.seconds))}s",
        "--stop-timeout": STOP_SECONDS,
        # Locust appends to both names: .json to the first, _failures.csv and others to the second.
        "--json-file": statistics.with_suffix(""),
        "--csv": statistics.with_suffix(""),
        "--exit-code-on-error": 0,
        "--loglevel": "WARNING",
    }
    arguments = [str(argument) for pair in options.items() for argument in pair]
    return [sys.executable, "-m", "locust", "--headless", "--only-summary", *arguments]


def _crash_message(exit_code: int | None, log: Path, output: str) -> str:
    last = "\n  ".join([line for line in output.splitlines() if line.strip()][-LOG_LINES:])
    end = "did not end in time" if exit_code is None else f"ended with exit code {exit_code}"
    return f"Locust {end} or found errors in {LOCUSTFILE}. The last lines of {log}:\n  {last}"
