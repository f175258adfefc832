"""Judge the candidate by the rules and say pass, fail or inconclusive.

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
from mlops.rules import Verdict, by_kind, by_weight, worst
from mlops.training import contract, record


def run(_: argparse.Namespace) -> int:
    """Write the verdict with its findings, print what is not a pass, and exit accordingly."""
    made, check = record.read_evaluated()
    findings = waivers.applied(gate.judge(made, check, contract.params().gate))
    verdict = worst(findings)
    reason = gate.summary(findings, verdict)
    write_json(
        VERDICT,
        {
            "verdict": verdict,
            "reason": reason,
            "record": record.record_digest(made),
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "findings": [finding.as_dict() for finding in by_weight(findings)],
        },
    )
    say("gate", f"{verdict.upper()}: {reason}")
    for told, rest in by_kind(f for f in by_weight(findings) if f.verdict is not Verdict.PASS):
        shown = "waived" if told[0].waived else told[0].verdict
        for finding in told:
            say("", f"{shown:<12} {finding.rule} {finding.subject}: {finding.message}")
        if rest:
            which = ", ".join(finding.subject for finding in rest)
            say("", f"{shown:<12} {told[0].rule} {len(rest)} more: {which}; see {VERDICT}")
    actions.verdict("Gate", verdict, reason)
    actions.output("verdict", verdict)
    return EXIT[verdict]
