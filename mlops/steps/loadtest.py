"""Put the expected traffic on what an environment serves, and judge how it bears it.

Locust runs loadtests/locustfile.py for as long and with as many users as params.yaml says. The
verdict comes from its statistics, and is void if another release answers meanwhile. Writes
build/evidence/<release>/load-test.json. Exits 0 on pass, 1 on fail, 3 on inconclusive.
"""

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops import contract, environments, gate, probe
from mlops.cli import FAIL, INCONCLUSIVE, PASS
from mlops.console import say
from mlops.environments import Environment
from mlops.errors import Refused, UserError
from mlops.files import read_json, write_json
from mlops.loadtest import Traffic, figures, judge, read_traffic
from mlops.options import ENV
from mlops.params import Params
from mlops.paths import BUILD, EVIDENCE
from mlops.rules import Finding, Verdict, by_weight, worst
from mlops.targets import Live, target_of

OPTIONS = (ENV,)
EXIT = {Verdict.PASS: PASS, Verdict.FAIL: FAIL, Verdict.INCONCLUSIVE: INCONCLUSIVE}
LOCUSTFILE = "loadtests/locustfile.py"
# What a user is doing when the time is up may take this long to end; then it is not counted.
STOP_SECONDS = 5
# Beyond the test itself: starting Locust, starting its users, stopping them.
SPARE_SECONDS = 60
LOG_LINES = 15


def run(options: argparse.Namespace) -> int:
    """Test the release that the environment names, if that is what it serves."""
    environment, params = environments.environment(options.env), contract.params()
    live = _require_release(environment)
    limits = params.loadtest
    say("loadtest", f"{limits.users} users for {limits.seconds:g} s on {live.url}")
    seen, traffic = _test(live, params, BUILD / "loadtest" / environment.name)
    findings = judge(live.release_id, seen, traffic, limits)
    verdict = worst(findings)
    reason = gate.summary(findings, verdict)
    _write(environment, live, verdict, reason, traffic)
    _tell(findings, verdict, reason)
    return EXIT[verdict]


def _require_release(environment: Environment) -> Live:
    """Return what is live, if release.yaml names it; a test of anything else proves nothing."""
    name, release = environment.name, environment.release
    if release is None:
        raise UserError(f"{environment.file} names no release yet. Promote one to {name} first.")
    live = target_of(environment).live(environment)
    served = live.release_id if live else "nothing"
    if live is None or served != release.release_id:
        raise Refused(
            f"{name} serves {served}, but {environment.file} names {release.release_id}. "
            f"Run `make deploy ENV={name}` first: the test is to speak for that release."
        )
    return live


def _test(live: Live, params: Params, folder: Path) -> tuple[list[str | None], Traffic]:
    """Return who answered during the test and, last, after it, and what Locust counted."""
    folder.mkdir(parents=True, exist_ok=True)
    statistics, log = folder / "statistics.json", folder / "locust.log"
    statistics.unlink(missing_ok=True)
    seen, ended = _locust(live, params, statistics, log)
    seen.append(probe.served(live.url, timeout=10))
    if not _only(live, seen):
        return seen, Traffic(0, 0, {})
    words = log.read_text("utf-8", "replace")
    # An error in the locustfile counts as no request at all, so it would go unseen.
    if ended != 0 or not statistics.exists() or "Traceback (most recent call last)" in words:
        raise UserError(_crash(ended, log, words))
    return seen, read_traffic(read_json(statistics, made_by="loadtest"))


def _locust(
    live: Live, params: Params, statistics: Path, log: Path
) -> tuple[list[str | None], int | None]:
    """Run Locust, asking each second who answers; return the answers and its exit code, if any."""
    limits, seen = params.loadtest, []
    deadline = time.monotonic() + limits.seconds + limits.users / limits.spawn_rate + SPARE_SECONDS
    # Which months are in use is for params.yaml to say; the locustfile knows nothing of it.
    environ = {**os.environ, "LOADTEST_NEWEST": params.data.last or ""}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            _command(live, params, statistics), stdout=output, stderr=subprocess.STDOUT, env=environ
        ) as locust,
    ):
        try:
            while locust.poll() is None and _only(live, seen) and time.monotonic() < deadline:
                seen.append(probe.served(live.url))
                _wait(locust, 1.0)
            return seen, locust.poll()
        finally:
            locust.kill()


def _only(live: Live, seen: list[str | None]) -> bool:
    return set(seen) <= {live.release_id, None}


def _wait(process: subprocess.Popen, seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def _command(live: Live, params: Params, statistics: Path) -> list[str]:
    limits = params.loadtest
    options: dict[str, Any] = {
        "--locustfile": LOCUSTFILE,
        "--host": live.url,
        "--users": limits.users,
        "--spawn-rate": f"{limits.spawn_rate:g}",
        "--run-time": f"{max(1, round(limits.seconds))}s",
        "--stop-timeout": STOP_SECONDS,
        # It appends .json to the name.
        "--json-file": statistics.with_suffix(""),
        "--exit-code-on-error": 0,
        "--loglevel": "WARNING",
    }
    flat = [str(word) for pair in options.items() for word in pair]
    return [sys.executable, "-m", "locust", "--headless", "--only-summary", *flat]


def _crash(ended: int | None, log: Path, words: str) -> str:
    last = "\n  ".join([line for line in words.splitlines() if line.strip()][-LOG_LINES:])
    how = "did not end in time" if ended is None else f"ended with exit code {ended}"
    return f"Locust {how} or found errors in {LOCUSTFILE}. The last lines of {log}:\n  {last}"


def _write(
    environment: Environment, live: Live, verdict: Verdict, reason: str, traffic: Traffic
) -> None:
    write_json(
        EVIDENCE / live.release_id / "load-test.json",
        {
            "kind": "load-test",
            "environment": environment.name,
            "releaseId": live.release_id,
            "verdict": verdict,
            "reason": reason,
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "figures": figures(traffic),
        },
    )


def _tell(findings: list[Finding], verdict: Verdict, reason: str) -> None:
    for finding in by_weight(findings):
        say("", f"{finding.verdict:<12} {finding.rule} {finding.subject}: {finding.message}")
    say("loadtest", f"{verdict.upper()}: {reason}")
