"""Look for known vulnerabilities in what is locked, less those accepted for a while.

environments/advisories.yaml names what is accepted, by whom and until when.
"""

import argparse

from mlops.ci import actions
from mlops.cli import EXIT
from mlops.console import say
from mlops.gate.waivers import today
from mlops.rules import Verdict
from mlops.signing.audit import ADVISORIES, LOCKS, advisories, ask, judge, parse_accepted


def run(_: argparse.Namespace) -> int:
    """Print a line for each advisory and return the exit code of the worst verdict."""
    return EXIT[_audit()]


def _audit() -> Verdict:
    text = ADVISORIES.read_text(encoding="utf-8") if ADVISORIES.exists() else ""
    accepted, told = parse_accepted(text), ask(LOCKS)
    found = [advisory for package in told for advisory in advisories(package)]
    unknown = [package["skip_reason"] for package in told if "skip_reason" in package]
    lines = list(judge(found, unknown, accepted, today()))
    for verdict, words in lines:
        say("audit", f"{verdict:<12} {words}")
    verdicts = [verdict for verdict, _ in lines]
    worst = next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if v in verdicts), Verdict.PASS)
    known = f"{len(found)} known vulnerabilities in {len(told)} packages"
    say("audit", f"{worst.upper()}: {known}")
    listed = "".join(f"- **{verdict}** {words}\n" for verdict, words in lines)
    actions.summary(f"### Audit: {worst}\n\n{known}\n\n{listed}")
    return worst
