"""Put the expected traffic on an environment's service, and judge failures and latency.

Locust runs loadtests/locustfile.py with the users and seconds of params.yaml. The verdict comes
from its statistics, and is void if another release answers meanwhile. Writes
build/evidence/<release>/load-test.json. Exits 0 on pass, 1 on fail, 3 on inconclusive.
"""

import argparse
from datetime import UTC, datetime

from mlops import git
from mlops.ci import actions
from mlops.cli import EXIT
from mlops.config.options import ENV
from mlops.config.params import AnyModel, load_params
from mlops.console import say
from mlops.errors import Refused, UserError
from mlops.files import write_json
from mlops.load.loadtest import Traffic, figures, judge, summary
from mlops.load.swarm import FAILURES, run_locust
from mlops.paths import BUILD, EVIDENCE
from mlops.releases import environments
from mlops.releases.environments import Environment
from mlops.rules import Verdict, worst, worst_first
from mlops.targets import Live, target_of

OPTIONS = (ENV,)


def run(options: argparse.Namespace) -> int:
    """Test the environment's release, if that is what it serves."""
    environment, params = environments.environment(options.env), load_params(AnyModel)
    live = _require_release(environment)
    limits, folder = params.loadtest, BUILD / "loadtest" / environment.name
    say("loadtest", f"{limits.users} users for {limits.seconds:g} s on {live.url}")
    served_ids, traffic = run_locust(live, limits, params.data.last, folder, params.serve.max_rows)
    findings = judge(live.release_id, served_ids, traffic, limits)
    verdict = worst(findings)
    reason = summary(findings, verdict)
    _write(environment, live, verdict, reason, traffic)
    for finding in worst_first(findings):
        say("", f"{finding.verdict:<12} {finding.rule} {finding.subject}: {finding.message}")
    if traffic.failures:
        say("", f"{folder / FAILURES} lists what failed and why")
    text = f"All {len(findings)} rules hold." if verdict is Verdict.PASS else reason
    say("loadtest", f"{verdict.upper()}: {text}")
    actions.output("verdict", verdict)
    actions.verdict(f"Load test of {live.release_id}", verdict, reason)
    return EXIT[verdict]


def _require_release(environment: Environment) -> Live:
    """Return the live release if release.yaml names it; a test of another one proves nothing."""
    name, release = environment.name, environment.release
    if release is None:
        raise UserError(f"{environment.file} names no release yet. Promote one to {name} first.")
    live = target_of(environment).live(environment)
    served = live.release_id if live else "nothing"
    if live is None or served != release.release_id:
        raise Refused(
            f"{name} serves {served}, but {environment.file} names {release.release_id}. "
            f"Run `make deploy ENV={name}` first: the test must run against that release."
        )
    return live


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
            "commit": git.head(),
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "figures": figures(traffic),
        },
    )
