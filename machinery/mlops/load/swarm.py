"""Locust, run against what is live: who answered meanwhile, and what it counted.

Its exit code is not asked for a verdict, since one failed request would decide it.
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
# What a user is doing when the time is up may take this long to end; then it is not counted.
STOP_SECONDS = 5
# Beyond the test itself: starting Locust, which takes 0.7 s, its users, and stopping them.
SPARE_SECONDS = 60
LOG_LINES = 15


def swarm(
    live: Live, limits: LoadtestParams, newest: str | None, folder: Path
) -> tuple[list[str | None], Traffic]:
    """Return who answered during the test and, last, after it, and what Locust counted.

    `newest` is the newest partition in use, None for whichever is; `folder` takes what Locust
    writes. Where another release answered nothing is counted. Raises UserError if Locust fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    statistics, log = folder / "statistics.json", folder / "locust.log"
    statistics.unlink(missing_ok=True)
    # Which partitions are in use is for params.yaml to say; the locustfile knows nothing of it.
    # Where it finds no users Locust asks pytest, whose plugins take four seconds to import.
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ = {**os.environ, **quick, "LOADTEST_NEWEST": newest or ""}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            _command(live, limits, statistics), stdout=output, stderr=subprocess.STDOUT, env=environ
        ) as locust,
    ):
        try:
            seen = _watch(live, limits, locust)
            ended = locust.poll()
        finally:
            locust.kill()
    seen.append(client.served_release(live.url, timeout=10))
    if not _only(live, seen):
        return seen, Traffic(0, 0, {})
    words = log.read_text("utf-8", "replace")
    # An error in the locustfile counts as no request at all, so it would go unseen.
    if ended != 0 or not statistics.exists() or "Traceback (most recent call last)" in words:
        raise UserError(_crash(ended, log, words))
    return seen, read_traffic(read_json(statistics, made_by="loadtest"))


def _watch(live: Live, limits: LoadtestParams, locust: subprocess.Popen) -> list[str | None]:
    """Ask each second who answers, until Locust ends, has had its time or tests two releases."""
    seen: list[str | None] = []
    spare = limits.users / limits.spawn_rate + SPARE_SECONDS
    deadline = time.monotonic() + limits.seconds + spare
    while locust.poll() is None and _only(live, seen) and time.monotonic() < deadline:
        seen.append(client.served_release(live.url))
        with contextlib.suppress(subprocess.TimeoutExpired):
            locust.wait(1)
    return seen


def _only(live: Live, seen: list[str | None]) -> bool:
    return set(seen) <= {live.release_id, None}


def _command(live: Live, limits: LoadtestParams, statistics: Path) -> list[str]:
    options: dict[str, Any] = {
        "--locustfile": f"{LOCUSTFILE},{CLOCK}",
        "--host": live.url,
        "--users": limits.users,
        "--spawn-rate": f"{limits.spawn_rate:g}",
        "--run-time": f"{max(1, round(limits.seconds))}s",
        "--stop-timeout": STOP_SECONDS,
        # To both names it appends: .json here, _failures.csv and the like there.
        "--json-file": statistics.with_suffix(""),
        "--csv": statistics.with_suffix(""),
        "--exit-code-on-error": 0,
        "--loglevel": "WARNING",
    }
    flat = [str(word) for pair in options.items() for word in pair]
    return [sys.executable, "-m", "locust", "--headless", "--only-summary", *flat]


def _crash(ended: int | None, log: Path, words: str) -> str:
    last = "\n  ".join([line for line in words.splitlines() if line.strip()][-LOG_LINES:])
    how = "did not end in time" if ended is None else f"ended with exit code {ended}"
    return f"Locust {how} or found errors in {LOCUSTFILE}. The last lines of {log}:\n  {last}"
