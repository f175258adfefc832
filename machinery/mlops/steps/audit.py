"""Look for known vulnerabilities in the locked packages, less the accepted ones.

environments/advisories.yaml lists the accepted ones, with who accepts each and until when.
"""

import argparse

from mlops.ci import actions
from mlops.cli import EXIT
from mlops.console import say
from mlops.gate.waivers import today
from mlops.rules import Verdict
from mlops.signing.audit import (
    ADVISORIES,
    LOCKS,
    advisories_of,
    judge,
    parse_accepted,
    run_pip_audit,
)


def run(_: argparse.Namespace) -> int:
    """Print a line for each advisory and return the exit code of the worst verdict."""
    return EXIT[_audit()]


def _audit() -> Verdict:
    text = ADVISORIES.read_text(encoding="utf-8") if ADVISORIES.exists() else ""
    accepted, packages = parse_accepted(text), run_pip_audit(LOCKS)
    advisories = [advisory for package in packages for advisory in advisories_of(package)]
    skip_reasons = [package["skip_reason"] for package in packages if "skip_reason" in package]
    judgements = list(judge(advisories, skip_reasons, accepted, today()))
    for verdict, reason in judgements:
        say("audit", f"{verdict:<12} {reason}")
    verdicts = [verdict for verdict, _ in judgements]
    worst = next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if v in verdicts), Verdict.PASS)
    total = f"{len(advisories)} known vulnerabilities in {len(packages)} packages"
    say("audit", f"{worst.upper()}: {total}")
    items = "".join(f"- **{verdict}** {reason}\n" for verdict, reason in judgements)
    actions.summary(f"### Audit: {worst}\n\n{total}\n\n{items}")
    return worst
