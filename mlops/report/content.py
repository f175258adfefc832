"""What the report says, as a tree: each section is a function, in the order a reviewer asks."""

from collections.abc import Callable

from mlops import gate, rules
from mlops.report.changed import changes, datasets
from mlops.report.comparison import curves, metrics
from mlops.report.judged import Judged, count, device, span
from mlops.report.origin import cost, reproduce, versions
from mlops.report.tree import Code, Report, Section, Table, Text
from mlops.rules import SENTENCES, Finding, Verdict


def content(judged: Judged) -> Report:
    """Return the report on a candidate."""
    verdict = rules.worst(judged.findings)
    sections = [section(judged) for section in SECTIONS]
    return Report(
        name=judged.record["name"],
        verdict=verdict,
        reason=gate.summary(judged.findings, verdict),
        subject=_subject(judged),
        sections=tuple(section for section in sections if section),
    )


def _subject(judged: Judged) -> Text:
    record, evaluation = judged.record, judged.evaluation
    source, data, cluster = record["source"], record["data"], evaluation["cluster"]
    text = [Code(record["name"]), " at commit ", Code(source["commit"][:7])]
    if source["changed"]:
        text.append(f" with {count(source['changed'], 'changed file')}")
    text += [": trained on ", *span(data["train"]["partitions"])]
    text += [f" ({data['train']['rows']:,} rows), judged on "]
    text += [*span(data["holdout"]["partitions"]), f" ({evaluation['rows']:,} rows"]
    if cluster:
        text += [f", {evaluation['groups']:,} groups of ", Code(cluster)]
    return (*text, f"), on {device(record)}.")


def refusals(judged: Judged) -> Section | None:
    """Return what speaks against the candidate, failures first."""
    refused = [f for f in rules.by_weight(judged.findings) if f.verdict is not Verdict.PASS]
    if not refused:
        return None
    rows = [(found.verdict, *row) for found, row in zip(refused, _rows(refused))]
    return Section("Rules", (Table(("verdict", "rule", "about", "found"), rows),))


def passes(judged: Judged) -> Section | None:
    """Return the checks that passed."""
    passed = [finding for finding in judged.findings if finding.verdict is Verdict.PASS]
    if not passed:
        return None
    table = Table(("rule", "about", "found"), _rows(passed))
    return Section(f"{count(passed, 'check')} passed", (table,), minor=True)


def _rows(findings: list[Finding]) -> list[tuple[Text, ...]]:
    """Return a row a finding; only the first of a rule quotes its sentence."""
    first = {finding.rule: finding for finding in reversed(findings)}
    return [
        (
            f"{one.rule} {SENTENCES[one.rule]}" if first[one.rule] is one else one.rule,
            Code(one.subject),
            one.message,
        )
        for one in findings
    ]


# A later subject, such as drift, is one more function here.
SECTIONS: tuple[Callable[[Judged], Section | None], ...] = (
    refusals,
    passes,
    changes,
    metrics,
    datasets,
    curves,
    cost,
    versions,
    reproduce,
)
