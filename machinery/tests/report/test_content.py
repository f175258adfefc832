"""The report shows a reviewer all findings, the worst first."""

import dataclasses
from pathlib import Path

from mlops.gate.data import HELD_OUT
from mlops.gate.metrics import BOUND
from mlops.report import markdown
from mlops.report.content import content
from mlops.rules import Finding, Verdict


def write(judged):
    """The report as Markdown."""
    return markdown.render(content(judged))


def test_verdict_and_reason_come_first(record, judge):
    """The first two lines are the verdict and its reason."""
    judged = judge(record)
    lines = write(judged).splitlines()
    assert lines[0] == "## ✓ Pass"
    assert lines[2] == (
        f"All {len(judged.findings)} checks passed. Better than the model in production: log loss "
        "is 0.0100 lower (0.0050 to 0.0150)."
    )


def test_failures_come_before_passes(record, judge):
    """The report of a failed candidate begins with the reason."""
    record["params"]["values"]["gate"]["bounds"] = {"log_loss": 0.4}
    text = write(judge(record))
    assert text.startswith("## ✗ Fail\n\nLog loss is 0.5000, at most 0.4000")
    assert text.index("| **fail** | M103") < text.index("### Metrics") < text.index("checks passed")


def test_inconclusive_names_the_remedy(record, judge):
    """An interval across the margin is neither a failure nor a pass."""
    record["evaluation"]["metrics"]["log_loss"]["difference"] |= {"low": -0.1, "high": 0.1}
    text = write(judge(record))
    assert text.startswith("## ? Inconclusive\n\nPerhaps worse than the model in production")
    assert "Hold out more rows" in text


def test_every_finding_appears(record, judge):
    """Failures with their message, passes by rule and subject."""
    record["params"]["values"]["gate"]["bounds"] = {"log_loss": 0.4}
    judged = judge(record)
    text = write(judged)
    for finding in judged.findings:
        assert finding.rule in text and f"`{finding.subject}`" in text
        assert finding.verdict is Verdict.PASS or finding.message in text


def test_without_a_champion(first, judge):
    """A first candidate is shown beside the best constant only."""
    text = write(judge(first))
    assert "| metric | better | candidate | best constant |" in text
    assert "### What changed" not in text


def test_a_champion_that_failed(record, judge):
    """A champion without scores leaves no empty columns, and its error is shown."""
    record["evaluation"]["champion"]["error"] = "its code failed: KeyError."
    record["evaluation"]["curves"]["champion"] = None
    del record["evaluation"]["metrics"]["log_loss"]["champion"]
    del record["evaluation"]["metrics"]["log_loss"]["difference"]
    text = write(judge(record))
    assert text.startswith("## ? Inconclusive") and "KeyError" in text
    assert "| difference |" not in text


def test_metrics_with_intervals(record, judge):
    """Each metric in one row: both models, the difference, the margin, the constant."""
    text = write(judge(record)).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "| log loss | lower | 0.5000 [0.4800, 0.5200] | 0.5100 [0.4900, 0.5300] "
        "| -0.0100 [-0.0150, -0.0050] | 0.0200 | 0.6000 |" in text
    )
    assert "95 % intervals by a bootstrap over 30 groups of `day`" in text


def test_metrics_that_the_gate_judges_come_first(record, judge):
    """Metrics that are not judged come below."""
    metrics = record["evaluation"]["metrics"]
    metrics["accuracy"] = {**metrics["log_loss"], "title": "accuracy"}
    record["evaluation"]["metrics"] = dict(sorted(metrics.items()))
    text = write(judge(record))
    assert text.index("| log loss |") < text.index("| accuracy |")


def test_no_number_at_all(first, judge):
    """A model that predicts NaN is reported like any other."""
    nothing = {"value": None, "low": None, "high": None, "undefined": 1.0}
    first["evaluation"]["metrics"]["log_loss"]["candidate"] = nothing
    empty = {"calibration": [], "histogram": {"edges": [], "rows": []}, "unplotted": 100}
    first["evaluation"]["curves"]["candidate"] = empty
    text = write(judge(first))
    assert "no number" in text and "xychart" not in text


def test_uncommitted_files_are_named(record, judge):
    """The commit alone is not presented as the source."""
    record["source"]["changed"] = ["model/train.py"]
    text = write(judge(record))
    assert "at commit `c0ffee0` with 1 changed file" in text
    assert "does not give this model: `model/train.py`." in text


def test_reproduce_names_commands_that_exist(record, judge):
    """The commands in the report are targets of the Makefile."""
    text = write(judge(record))
    assert f"git checkout {record['source']['commit']}\nmake setup\n" in text
    targets = text.split("make check-data")[1].splitlines()[0].split()
    makefile = Path("machinery/mlops/machinery.mk").read_text("utf-8")
    assert targets and all(f"\n{target}:" in makefile for target in targets)


def test_reproduce_names_the_champion_s_store(record, judge):
    """The report does not name the store in use, which CI may have set by a variable."""
    text = write(judge(record))
    assert "the store in `MLOPS_STORE`, by default from params.yaml's, `build/store`." in text


def test_the_merge_commit_of_a_pull_request_is_fetched_first(record, judge):
    """The commit of a pull request's run is on no branch; a hostile ref is quoted."""
    record["source"]["ref"] = "refs/pull/7/merge; rm -rf ~"
    text = write(judge(record))
    assert "git fetch origin 'refs/pull/7/merge; rm -rf ~'\ngit checkout " in text


def test_many_findings_of_a_rule_are_abridged(record, judge):
    """Three of five thousand are shown, a dozen named, all counted."""
    judged = judge(record)
    many = [Finding(BOUND.id, f"metric {n}", Verdict.FAIL, "bad " * 500) for n in range(5000)]
    text = write(dataclasses.replace(judged, findings=many + judged.findings))
    assert text.count("| **fail** | M103") == 4 and len(text) < 12_000
    assert "|  | 4,997 more of this rule: `metric 3`, " in text
    assert "`metric 13` and 4,986 more; see build/verdict.json. |" in text


def test_the_worst_letters_fit_into_a_comment(record, judge):
    """The report has the characters that are longest when escaped, in all long lists."""
    evaluation = record["evaluation"]
    metric = evaluation["metrics"]["log_loss"]
    names = ["@" * 9000 + str(n) for n in range(200)]
    evaluation["metrics"] = {name: {**metric, "title": name} for name in names}
    record["source"]["changed"] = names
    record["environment"]["libraries"] = dict.fromkeys(names, "|" * 9000)
    assert len(write(judge(record))) < 65_536


def test_an_everyday_report_is_short(record, judge):
    """Long comments are not read."""
    assert len(write(judge(record))) < 6000


def test_a_rule_is_quoted_once(record, judge):
    """Its sentence is in its first row; the others have its id."""
    record["params"]["values"]["gate"]["bounds"] = {"log_loss": 0.4, "other": 1.0}
    text = write(judge(record))
    assert text.count(BOUND.sentence) == 1 and text.count(f"| **fail** | {BOUND.id} ") == 2


def test_passes_have_one_row_for_each_rule(record, judge):
    """Candidate and champion side by side."""
    assert f"| {HELD_OUT.id} | `candidate`, `champion` |" in write(judge(record))


def test_latency_is_shown(record, judge):
    """Beside the other costs."""
    assert "| p50 of a prediction | p99 of a prediction |" in write(judge(record))
    assert "| 1.23 ms | 5.00 ms |" in write(judge(record))


def test_waived_findings_stay_visible(record, judge):
    """Below the deciding findings, without bold type, with its last day."""
    judged = judge(record)
    waived = Finding(
        BOUND.id, "auc", Verdict.FAIL, "Too low. Waived until 2030-01-01.", waived=True
    )
    other = Finding(HELD_OUT.id, "x", Verdict.INCONCLUSIVE, "Unknown.")
    text = write(dataclasses.replace(judged, findings=[waived, other, *judged.findings]))
    assert text.startswith("## ? Inconclusive")
    assert text.index("| **inconclusive** | M101") < text.index("| fail, waived | M103")
    assert "Waived until 2030-01-01." in text
