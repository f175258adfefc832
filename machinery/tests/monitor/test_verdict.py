"""The decision: labels decide before drift, and too little evidence is inconclusive."""

import numpy as np
import pytest

from mlops.config.params import EvaluateParams, GateParams, MonitorParams
from mlops.monitor import verdict
from mlops.monitor.drift import Shift
from mlops.monitor.performance import Labelled, LiveMetric, measure
from mlops.rules import Finding, Verdict
from mlops.statistics.bootstrap import Estimate
from mlops.statistics.selection import select

PASS, FAIL, UNSURE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
LIMITS = MonitorParams()
GATE = GateParams(margins={"auc": 0.02, "log_loss": 0.025}, beat_constant=["log_loss"])
SETTINGS = EvaluateParams(replicates=500)


def findings_of(rows=PASS, labels=None, performance=None, drift=None):
    """Findings of the four kinds, without those that are None."""
    kinds = {"W101": rows, "W102": labels, "W104": performance, "W105": drift}
    return [Finding(rule, "it", v, f"{rule} is {v}.") for rule, v in kinds.items() if v]


@pytest.mark.parametrize(
    "findings, outcome, trigger",
    [
        (findings_of(rows=UNSURE), UNSURE, None),
        (findings_of(drift=PASS), PASS, None),
        (findings_of(drift=FAIL), FAIL, "drift"),
        (findings_of(drift=UNSURE), UNSURE, None),
        # Too few labels are ignored.
        (findings_of(labels=UNSURE, drift=PASS), PASS, None),
        (findings_of(labels=UNSURE, drift=FAIL), FAIL, "drift"),
        # Enough decide, whatever the drift.
        (findings_of(labels=PASS, performance=PASS, drift=FAIL), PASS, None),
        (findings_of(labels=PASS, performance=FAIL, drift=PASS), FAIL, "performance"),
        (findings_of(labels=PASS, performance=FAIL, drift=FAIL), FAIL, "performance"),
        # Unless they are inconclusive.
        (findings_of(labels=PASS, performance=UNSURE, drift=FAIL), FAIL, "drift"),
        (findings_of(labels=PASS, performance=UNSURE, drift=PASS), UNSURE, None),
        (findings_of(labels=UNSURE, performance=UNSURE, drift=PASS), PASS, None),
        # Few rows, or nothing compared.
        (findings_of(rows=UNSURE, drift=FAIL), UNSURE, None),
        (findings_of(), UNSURE, None),
        # No metric to judge by.
        (findings_of(labels=PASS, drift=PASS), PASS, None),
    ],
)
def test_what_decides(findings, outcome, trigger):
    """Performance, then drift; only an alarm triggers anything."""
    decision = verdict.decide(findings)
    assert (decision.verdict, decision.trigger) == (outcome, trigger)
    assert decision.reason.endswith(".")


def test_the_reason_names_the_first_and_counts_the_rest():
    """Of those that decided."""
    findings = [*findings_of(drift=FAIL), Finding("W106", "days", FAIL, "Separable.")]
    assert verdict.decide(findings).reason == "W105 it: W105 is fail (and 1 more)."
    assert verdict.decide(findings[:2]).reason == "W105 it: W105 is fail."


def test_drift_without_harm_is_reported():
    """The reason names both."""
    decision = verdict.decide(findings_of(labels=PASS, performance=PASS, drift=FAIL))
    assert decision.reason.endswith(
        "The rows have drifted, but the model performs as well as before."
    )


@pytest.mark.parametrize(
    "rows, days, outcome",
    [(1000, 14, PASS), (999, 14, UNSURE), (100_000, 13, UNSURE), (0, 0, UNSURE)],
)
def test_few_rows_or_days_are_inconclusive(rows, days, outcome):
    """The message names the counts and the bounds."""
    finding = verdict.enough_rows(rows, days, LIMITS)
    assert finding.verdict is outcome
    assert f"{rows:,} rows on {days} days" in finding.message


@pytest.mark.parametrize(
    "rows, days, outcome",
    [(1000, 15, PASS), (999, 15, UNSURE), (9000, 14, UNSURE), (0, 0, UNSURE)],
)
def test_labels_of_too_few_days_decide_nothing(rows, days, outcome):
    """Of 30 days half are needed."""
    assert verdict.enough_labels(rows, days, 30, LIMITS).verdict is outcome


@pytest.mark.parametrize("psi, outcome", [(0.4, PASS), (0.41, FAIL)])
def test_a_column_is_judged_by_what_is_usual(psi, outcome):
    """Another column may move ten times as far."""
    finding = verdict.columns([Shift("seats", psi, 0.01), Shift("temp", 4, 2)], LIMITS)
    assert finding.verdict is outcome
    assert "seats (PSI 0." in finding.message


def test_many_columns_are_named_briefly():
    """The five that moved most."""
    shifts = [Shift(f"column{number}", number, 0.01) for number in range(1, 9)]
    message = verdict.columns(shifts, LIMITS).message
    assert message.startswith("column8 (PSI 8.00, usual 0.01), ") and " and 3 more moved" in message


@pytest.mark.parametrize(
    "aucs, outcome", [([0.9, 0.7], PASS), ([0.9], PASS), ([0.95, 0.9], FAIL), ([], UNSURE)]
)
def test_the_classifier_is_judged_by_its_mean(aucs, outcome):
    """Without an AUC the finding is inconclusive."""
    assert verdict.separability(aucs, LIMITS).verdict is outcome


@pytest.mark.parametrize("psi, outcome", [(0.4, PASS), (0.41, FAIL)])
def test_scores_that_moved_far_are_refused(psi, outcome):
    """Four times the usual index is allowed, and a usual index below 0.1 counts as 0.1."""
    finding = verdict.scores(Shift("score", psi, 0.01), "", LIMITS)
    assert (finding.rule, finding.verdict) == ("W107", outcome)
    assert "at most 4 times the usual allowed" in finding.message


@pytest.mark.parametrize(
    "value, low, outcome",
    [(0.02, -0.1, PASS), (0.021, 0.02, UNSURE), (0.03, 0.021, FAIL)],
)
def test_a_loss_is_judged_by_the_gate_s_margin(value, low, outcome):
    """A loss fails only if its whole interval is beyond the margin."""
    loss, auc = Estimate(value, low, 0.2), Estimate(0.7, 0.6, 0.8)
    findings = verdict.performance([LiveMetric("auc", auc, None, 0.7, None, loss)], GATE)
    assert [(finding.rule, finding.verdict) for finding in findings] == [("W104", outcome)]


def test_missing_scores_are_inconclusive():
    """The message has the reason."""
    finding = verdict.scores(None, "The store has no such bundle.", LIMITS)
    assert finding.verdict is UNSURE and "no such bundle" in finding.message


def served(skill, late=0.2, days=30, rows=400):
    """Targets, scores and days of a month; a share `skill` of the log odds is signal."""
    random = np.random.default_rng(0)
    day = np.repeat([f"2026-01-{number + 1:02}" for number in range(days)], rows)
    odds = np.log(late / (1 - late)) + random.normal(0, 1, len(day))
    target = (random.random(len(day)) < 1 / (1 + np.exp(-odds))).astype(float)
    signal = np.log(late / (1 - late)) + skill * (odds - np.log(late / (1 - late)))
    return target, 1 / (1 + np.exp(-signal)), day


def gate_metrics(target, score, days):
    """The gate's evidence about these rows."""
    names = dict.fromkeys(("auc", "log_loss"))
    metrics = {
        m.name: m.as_dict()
        for m in measure(Labelled(target, score, days), select(names), {}, SETTINGS)
    }
    return {
        name: {k: values[k] for k in ("value", "low", "high", "constant")}
        for name, values in metrics.items()
    }


def judged(rows, at_gate):
    """The verdict of each rule and metric on these rows."""
    names = dict.fromkeys(("auc", "log_loss"))
    measured = measure(Labelled(*rows), select(names), at_gate, SETTINGS)
    return {f"{f.rule} {f.subject}": f.verdict for f in verdict.performance(measured, GATE)}


def test_a_model_as_good_as_at_the_gate_passes():
    """On the same rows, and in a month with twice as many late."""
    at_gate = gate_metrics(*served(skill=1))
    for late in (0.2, 0.4):
        assert set(judged(served(skill=1, late=late), at_gate).values()) == {PASS}


def test_a_model_that_lost_its_signal_fails():
    """Reversed scores are worse than at the gate and than a constant."""
    verdicts = judged(served(skill=-1), gate_metrics(*served(skill=1)))
    assert verdicts == {"W104 auc": FAIL, "W103 log_loss": FAIL, "W104 log_loss": FAIL}


def test_a_loss_that_may_be_chance_is_inconclusive():
    """With few days the interval is wide."""
    verdicts = judged(
        served(skill=0.3, days=5, rows=12), gate_metrics(*served(skill=1, days=5, rows=12))
    )
    assert FAIL not in verdicts.values()


def test_outcomes_of_one_kind_give_no_auc():
    """The AUC is left out, the log loss is not."""
    target, score, day = served(skill=1)
    assert set(judged((np.zeros_like(target), score, day), gate_metrics(target, score, day))) == {
        "W103 log_loss",
        "W104 log_loss",
    }


def test_without_the_gate_s_metrics_the_constant_decides():
    """Older releases have no metrics in their evidence."""
    assert set(judged(served(skill=1), {})) == {"W103 log_loss"}
