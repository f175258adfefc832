"""The content of the report, as a tree: one function a section, in the order a reviewer asks."""

from collections.abc import Callable, Iterator

from mlops import gate, rules
from mlops.paths import VERDICT
from mlops.report.changes import changes, datasets
from mlops.report.comparison import curves, metrics
from mlops.report.origin import cost, reproduce, versions
from mlops.report.parts import parts
from mlops.report.slices import slices
from mlops.report.subject import Judged, count, device, span
from mlops.report.tree import Code, Report, Section, Table, Text, names
from mlops.rules import Finding, Verdict

MOST_NAMED = 12


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
    """Return the findings that are not a pass, failures first."""
    refused = [f for f in rules.worst_first(judged.findings) if f.verdict is not Verdict.PASS]
    refused.sort(key=lambda finding: finding.waived)
    if not refused:
        return None
    table = Table(("verdict", "rule", "subject", "finding"), list(_rows(refused)))
    return Section("Rules", (table,))


def passes(judged: Judged) -> Section | None:
    """Return the checks that passed."""
    passed = [finding for finding in judged.findings if finding.verdict is Verdict.PASS]
    if not passed:
        return None
    rows = [row[1:] for row in _rows(passed)]
    table = Table(("rule", "subject", "finding"), rows, simple=_brief(passed))
    return Section(f"{count(passed, 'check')} passed", (table,), minor=True)


def _brief(findings: list[Finding]) -> Table:
    """Return one row for each rule; machinery/docs/gate.md has its sentence."""
    subjects: dict[str, list[str]] = {}
    for finding in findings:
        subjects.setdefault(finding.rule, []).append(finding.subject)
    rows = [
        (rule, names(of_rule, most=rules.MOST_OF_A_KIND + 1)) for rule, of_rule in subjects.items()
    ]
    return Table(("rule", "subjects"), rows)


def _rows(findings: list[Finding]) -> Iterator[tuple[Text, ...]]:
    """Yield a row for each finding, the rule's sentence in its first; long runs are abridged."""
    for shown, rest in rules.abridged(findings):
        first = shown[0]
        verdict, rule = f"{first.verdict}, waived" if first.waived else first.verdict, first.rule
        for number, one in enumerate(shown):
            title = rule if number else f"{rule} {gate.SENTENCES[rule]}"
            yield verdict, title, Code(one.subject), one.message
        if rest:
            which = names((one.subject for one in rest), most=MOST_NAMED)
            opening = f"{len(rest):,} more of this rule: "
            yield verdict, rule, "", (opening, *which, f"; see {VERDICT}.")


# A new section is one more function here.
SECTIONS: tuple[Callable[[Judged], Section | None], ...] = (
    refusals,
    changes,
    metrics,
    parts,
    slices,
    passes,
    datasets,
    curves,
    cost,
    versions,
    reproduce,
)
