"""Judge the candidate by the rules: pass, fail or inconclusive.

Reads build/record.json (after `evaluate`) and build/data-check.json, writes build/verdict.json.
Exits 0 on pass, 1 on fail, 3 on inconclusive.
"""

import argparse
from datetime import UTC, datetime

from mlops import gate
from mlops.ci import actions
from mlops.cli import EXIT
from mlops.console import say
from mlops.files import write_json
from mlops.gate import waivers
from mlops.paths import VERDICT
from mlops.rules import Verdict, abridged, worst, worst_first
from mlops.training import contract, record


def run(_: argparse.Namespace) -> int:
    """Write the verdict with its findings, print those that are no pass, return the exit code."""
    evaluated, check = record.read_evaluated()
    findings = waivers.applied(gate.judge(evaluated, check, contract.params().gate))
    verdict = worst(findings)
    reason = gate.summary(findings, verdict)
    write_json(
        VERDICT,
        {
            "verdict": verdict,
            "reason": reason,
            "record": record.record_digest(evaluated),
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "findings": [finding.as_dict() for finding in worst_first(findings)],
        },
    )
    say("gate", f"{verdict.upper()}: {reason}")
    objections = [f for f in worst_first(findings) if f.verdict is not Verdict.PASS]
    for shown, rest in abridged(objections):
        label = "waived" if shown[0].waived else shown[0].verdict
        for finding in shown:
            say("", f"{label:<12} {finding.rule} {finding.subject}: {finding.message}")
        if rest:
            subjects = ", ".join(finding.subject for finding in rest)
            say("", f"{label:<12} {shown[0].rule} {len(rest)} more: {subjects}; see {VERDICT}")
    actions.verdict("Gate", verdict, reason)
    actions.output("verdict", verdict)
    return EXIT[verdict]
