"""Each rule fails a bad case and passes an innocent one; the verdict is the worst of all."""

import copy
import dataclasses
import re

import pytest

from mlops import gate
from mlops.config.params import GateParams, LeakageParams
from mlops.gate import RULES
from mlops.rules import Verdict, worst

PARAMS = GateParams(
    cluster="date",
    min_clusters=20,
    bounds={"auc": 0.63},
    margins={"auc": 0.02, "log_loss": 0.025},
    beat_constant=["log_loss"],
    ceilings={"auc": 0.85},
    max_miscalibration=0.1,
    leakage=LeakageParams(max_auc=0.8),
)


def estimate(value, low, high):
    """An estimate as in the record."""
    return {"value": value, "low": low, "high": high, "undefined": 0.0}


def part(value, worse):
    """A slice that loses this much log loss against the champion."""
    return lost(worse, worse - 0.03, worse + 0.03) | {"value": value}


def lost(value, low, high):
    """A slice whose log loss differs by this much, with its interval."""
    difference = {"log_loss": {"difference": estimate(value, low, high)}}
    return {"column": "carrier", "value": "MQ", "rows": 475, "metrics": difference}


def extent(rows, *small):
    """The number of rows in two slices, and the values that are too small for one."""
    return {
        "values": 2 + len(small),
        "rows": rows,
        "small": {"values": len(small), "largest": list(small)},
    }


def tenths(error):
    """Two parts of the rows whose scores have this error."""
    return [{"score": score, "target": score - error, "rows": 50} for score in (0.2, 0.6)]


@pytest.fixture
def record():
    """The record of a candidate that is a little better than its champion."""
    return {
        "data": {
            "train": {"fingerprints": {"01": "a"}, "partitions": ["01"], "last": "2013-01-31"},
            "holdout": {"fingerprints": {"02": "b"}, "partitions": ["02"], "first": "2013-02-01"},
        },
        "model": {"digest": "sha256:a", "bytes": 1_000_000},
        "training": {"repeat": "sha256:a", "device": {"wanted": "cpu", "effective": "cpu"}},
        "cost": {"predict_p50_ms": 0.3, "predict_p99_ms": 0.9},
        "evaluation": {
            "curves": {"candidate": {"calibration": tenths(0.05)}},
            "rows": 1000,
            "cluster": "date",
            "groups": 28,
            "features": {"measure": "auc", "strength": {"hour": 0.6, "empty": None}},
            "slices": {
                "columns": {"carrier": extent(950, "HA")},
                "comparisons": 2,
                "compared": [part("UA", 0.002), part("MQ", -0.001)],
            },
            "champion": {"release_id": "toy-1", "trained_on": ["00"], "error": None},
            "metrics": {
                "auc": {
                    "title": "AUC",
                    "higher_is_better": True,
                    "constant": None,
                    "candidate": estimate(0.70, 0.68, 0.72),
                    "difference": estimate(0.004, -0.002, 0.010),
                },
                "log_loss": {
                    "title": "log loss",
                    "higher_is_better": False,
                    "constant": 0.50,
                    "candidate": estimate(0.44, 0.42, 0.46),
                    "difference": estimate(-0.002, -0.010, 0.006),
                },
            },
        },
    }


CHECKED = {
    "fingerprints": {"01": "a", "02": "b"},
    "findings": [
        {"rule": rule.id, "subject": "data", "verdict": "pass", "message": "fine"}
        for rule in RULES
        if rule.id.startswith("D")
    ],
}


def change(record, path, value):
    """Return the record with one value changed; the path is dotted."""
    changed = copy.deepcopy(record)
    *parents, last = path.split(".")
    parent = changed
    for name in parents:
        parent = parent[name]
    parent[last] = value
    return changed


def failing(record, params=PARAMS, **check):
    """The rules that did not pass, with their verdicts."""
    findings = gate.judge(record, CHECKED | check, params)
    return {(f.rule, f.verdict.value) for f in findings if f.verdict is not Verdict.PASS}


def test_an_innocent_candidate_passes_every_rule(record):
    """Each rule has a finding, and all pass."""
    findings = gate.judge(record, CHECKED, PARAMS)
    assert {finding.rule for finding in findings} == {
        rule.id for rule in RULES if rule.id[0] in "DM"
    }
    assert worst(findings) is Verdict.PASS


BAD = {
    "other data": ("data.train.fingerprints", {"01": "z"}, ("D101", "fail")),
    "overlap": ("data.train.last", "2013-02-01", ("M101", "fail")),
    "champion saw": ("evaluation.champion.trained_on", ["01", "02"], ("M101", "fail")),
    "no number": ("evaluation.metrics.auc.candidate", estimate(None, None, None), ("M102", "fail")),
    "below bound": (
        "evaluation.metrics.auc.candidate",
        estimate(0.62, 0.6, 0.64),
        ("M103", "fail"),
    ),
    "worse than constant": ("evaluation.metrics.log_loss.constant", 0.43, ("M104", "fail")),
    "few days": ("evaluation.groups", 19, ("M105", "inconclusive")),
    "champion broken": ("evaluation.champion.error", "no column x.", ("M106", "inconclusive")),
    "worse": (
        "evaluation.metrics.auc.difference",
        estimate(-0.03, -0.044, -0.011),
        ("M107", "fail"),
    ),
    "may be chance": (
        "evaluation.metrics.log_loss.difference",
        estimate(0.01, -0.01, 0.03),
        ("M107", "inconclusive"),
    ),
    "worse slice": ("evaluation.slices.compared", [part("MQ", 0.04)], ("M108", "fail")),
    "small slices": (
        "evaluation.slices.columns.carrier",
        extent(700, "HA"),
        ("M108", "inconclusive"),
    ),
    "leak": ("evaluation.features.strength", {"delay": 0.92}, ("M109", "fail")),
    "too good": (
        "evaluation.metrics.auc.candidate",
        estimate(0.91, 0.9, 0.92),
        ("M110", "fail"),
    ),
    "too big": ("model.bytes", 900_000_000, ("M111", "fail")),
    "too slow": ("cost.predict_p50_ms", 80.0, ("M111", "fail")),
    "slow at times": ("cost.predict_p99_ms", 800.0, ("M111", "fail")),
    "slowed by a neighbour": (
        "cost",
        {"predict_p50_ms": 0.5, "predict_p99_ms": 0.9, "predict_usual_p50_ms": 51.0},
        ("M111", "inconclusive"),
    ),
    "slow even at best": (
        "cost",
        {"predict_p50_ms": 51.0, "predict_p99_ms": 60.0, "predict_usual_p50_ms": 80.0},
        ("M111", "fail"),
    ),
    "not reproduced": ("training.repeat", "sha256:b", ("M112", "fail")),
    "pickle": ("model.pickled", {"model.joblib": "its name ends in .joblib"}, ("M114", "fail")),
    "miscalibrated": ("evaluation.curves.candidate.calibration", tenths(0.2), ("M113", "fail")),
    "labels for probabilities": (
        "evaluation.curves.candidate.calibration",
        [{"score": 0.0, "target": 0.1, "rows": 70}, {"score": 1.0, "target": 0.8, "rows": 30}],
        ("M113", "inconclusive"),
    ),
    "no score": ("evaluation.curves.candidate.calibration", [], ("M113", "fail")),
    "no interval": (
        "evaluation.metrics.auc.difference",
        estimate(None, None, None),
        ("M107", "inconclusive"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_case_is_refused_by_its_rule(record, case):
    """One thing is wrong, and its rule reports it."""
    path, value, expected = BAD[case]
    assert expected in failing(change(record, path, value))


AUC, LOSS = "evaluation.metrics.auc.", "evaluation.metrics.log_loss."
# The edge of each rule, for metrics of both directions: rule, key and value in the record,
# params, verdict.
EDGES = [
    ("M102", AUC + "candidate", estimate(0.7, float("-inf"), 0.8), {}, "fail"),
    ("M103", AUC + "candidate.value", 0.63, {}, "pass"),
    ("M103", AUC + "candidate.value", None, {}, "fail"),
    ("M103", LOSS + "candidate.value", 0.45, {"bounds": {"log_loss": 0.45}}, "pass"),
    ("M103", LOSS + "candidate.value", 0.46, {"bounds": {"log_loss": 0.45}}, "fail"),
    ("M104", LOSS + "constant", 0.44, {}, "fail"),
    ("M104", LOSS + "constant", 0.45, {}, "pass"),
    ("M104", LOSS + "candidate.value", None, {}, "fail"),
    ("M104", AUC + "constant", 0.7, {"beat_constant": ["auc"]}, "fail"),
    ("M104", AUC + "constant", 0.5, {"beat_constant": ["auc"]}, "pass"),
    ("M105", "evaluation.groups", 20, {}, "pass"),
    ("M105", "evaluation.cluster", None, {"min_clusters": 10_000}, "pass"),
    ("M107", AUC + "difference", estimate(-0.01, -0.02, 0.01), {}, "pass"),
    ("M107", AUC + "difference", estimate(-0.01, -0.03, 0.0), {}, "inconclusive"),
    ("M107", AUC + "difference", estimate(-0.02, -0.03, -0.01), {}, "fail"),
    ("M107", LOSS + "difference", estimate(0.03, 0.01, 0.05), {}, "fail"),
    ("M108", "evaluation.slices.columns", {}, {}, "pass"),
    ("M108", "evaluation.slices.columns.carrier", extent(800), {}, "pass"),
    (
        "M108",
        "evaluation.slices.compared",
        [lost(0.025, 0.01, 0.04), lost(0.04, 0.0, 0.08), lost(None, None, None)],
        {},
        "pass",
    ),
    ("M109", "evaluation.features.strength", {"hour": 0.8}, {}, "pass"),
    ("M109", "evaluation.features.strength", {"hour": None}, {}, "pass"),
    ("M110", AUC + "candidate.value", 0.85, {}, "pass"),
    ("M110", AUC + "candidate.value", None, {}, "pass"),
    ("M110", LOSS + "candidate.value", 0.3, {"ceilings": {"log_loss": 0.3}}, "pass"),
    ("M110", LOSS + "candidate.value", 0.29, {"ceilings": {"log_loss": 0.3}}, "fail"),
    ("M110", AUC + "candidate.value", 0.99, {"ceilings": {}}, "pass"),
    ("M111", "model.bytes", 500_000_000, {}, "pass"),
    ("M111", "cost.predict_p50_ms", 50.0, {}, "pass"),
    ("M113", "evaluation.curves.candidate.calibration", tenths(0.125), {}, "fail"),
    (
        "M113",
        "evaluation.curves.candidate.calibration",
        tenths(0.125),
        {"max_miscalibration": 0.125},
        "pass",
    ),
    (
        "M113",
        "evaluation.curves.candidate.calibration",
        tenths(0.125),
        {"max_miscalibration": None},
        "pass",
    ),
]


@pytest.mark.parametrize("edge", EDGES)
def test_a_rule_turns_exactly_at_its_bound(record, edge):
    """A value at its bound passes; a metric equal to the constant's does not beat it."""
    rule, path, value, limits, expected = edge
    params = PARAMS.model_copy(update=limits)
    findings = gate.judge(change(record, path, value), CHECKED, params)
    assert worst(finding for finding in findings if finding.rule == rule) == expected


@pytest.mark.parametrize(
    ("last", "verdict"), [("2013-09-30", "fail"), ("2013-02-01", "fail"), ("2013-01-31", "pass")]
)
def test_a_champion_of_later_rows_is_refused_whatever_its_partitions(record, last, verdict):
    """A model trained on later rows has an unfair advantage."""
    changed = change(record, "evaluation.champion.origin", {"data": {"last": f"{last}T00:00:00"}})
    champion = [f for f in gate.judge(changed, CHECKED, PARAMS) if f.rule == "M101"][1]
    assert (champion.subject, champion.verdict) == ("champion", verdict)
    assert f"up to {last}" in champion.message and "T00" not in champion.message


def test_a_champion_of_unknown_rows_is_reported(record):
    """If its record cannot be read, only the names of its partitions are known."""
    unknown = change(record, "evaluation.champion.origin", None)
    champion = [f for f in gate.judge(unknown, CHECKED, PARAMS) if f.rule == "M101"][1]
    assert champion.verdict is Verdict.PASS
    assert champion.message == (
        "The champion toy-1 was trained on none of these partitions. Its record cannot be read "
        "here, so whether it was trained on later rows is unknown."
    )


def test_a_model_without_metrics_is_refused(record):
    """Without a metric there is no evidence."""
    none = change(record, "evaluation.metrics", {})
    findings = gate.judge(none, CHECKED, GateParams())
    assert worst(finding for finding in findings if finding.rule == "M102") is Verdict.FAIL


def test_the_possible_causes_of_an_undefined_metric_are_named(record):
    """For example, a relative error is infinite for an outcome of 0."""
    none = change(record, AUC + "candidate", estimate(None, None, None))
    (bad,) = [
        f for f in gate.judge(none, CHECKED, PARAMS) if f.rule == "M102" and f.subject == "auc"
    ]
    assert bad.message == (
        "AUC is not a finite number: the scores hold NaN, the held-out rows one class only, or the "
        "loss of a row is infinite."
    )


def test_slices_without_a_champion_are_only_shown(record):
    """Slices that cannot be compared do not fail, whatever a broken champion left behind."""
    broken = change(record, "evaluation.champion.error", "no column x.")
    broken["evaluation"]["slices"]["compared"] = [part("MQ", 0.4)]
    (finding,) = [f for f in gate.judge(broken, CHECKED, PARAMS) if f.rule == "M108"]
    assert finding.verdict is Verdict.PASS and "no champion" in finding.message


def test_each_column_of_slices_is_judged_by_its_own(record):
    """A failed slice is reported for its column, the other column with its own worst slice."""
    slices = record["evaluation"]["slices"]
    slices["columns"]["origin"] = extent(900, "a", "b", "c") | {"values": 9}
    slices["columns"]["origin"]["small"]["values"] = 7
    slices["compared"] = [part("UA", 0.04), part("JFK", 0.004) | {"column": "origin"}]
    slices["compared"].append(part("LGA", 0.001) | {"column": "origin"})
    bad, good = [f for f in gate.judge(record, CHECKED, PARAMS) if f.rule == "M108"]
    assert (bad.subject, bad.verdict) == ("carrier=UA", Verdict.FAIL)
    assert (good.subject, good.verdict) == ("origin", Verdict.PASS)
    assert good.message == (
        "2 of 9 values compared, 90.0% of the rows, none significantly worse (the worst: log_loss "
        "JFK +0.0040 [-0.0260, +0.0340]); too small to compare: a, b, c, 4 more."
    )


@pytest.mark.parametrize(
    "difference",
    [estimate(-0.01, -0.019, -0.002), estimate(-0.03, -0.06, -0.001), estimate(0.0, -0.02, 0.02)],
    ids=["significantly but hardly worse", "significantly worse", "at the margin"],
)
def test_worse_within_the_margin_passes(record, difference):
    """The margin counts, not whether the metric is worse at all."""
    refused = ("M107", "fail") in failing(
        change(record, "evaluation.metrics.auc.difference", difference)
    )
    assert refused == (-difference["low"] > 0.02)


def test_data_that_were_not_checked_are_refused(record):
    """Skipping check-data does not skip its rules."""
    bad = {"rule": "D102", "subject": "02", "verdict": "fail", "message": "few rows"}
    assert ("D102", "fail") in failing(record, findings=[bad])
    assert gate.judge(record, None, PARAMS)[0].verdict is Verdict.FAIL


def test_without_any_bound_nothing_is_decided(record):
    """A model that always answers the same would pass."""
    unbounded = PARAMS.model_copy(update={"bounds": {}, "beat_constant": []})
    assert ("M103", "inconclusive") in failing(record, unbounded)
    assert ("M103", "inconclusive") not in failing(record)


def test_without_a_champion_the_bounds_decide(record):
    """A first release has no champion, and the finding states it."""
    first = change(record, "evaluation.champion", None)
    findings = gate.judge(first, CHECKED, PARAMS)
    assert worst(findings) is Verdict.PASS
    assert "no champion yet" in [f.message for f in findings if f.rule == "M107"][0]


@pytest.mark.parametrize("key", ["bounds", "margins", "beat_constant", "ceilings"])
def test_a_metric_nobody_measured_is_refused(record, key):
    """A typing error in params.yaml must not disable a rule."""
    value = ["aux"] if key == "beat_constant" else {"aux": 0.1}
    findings = gate.judge(record, CHECKED, PARAMS.model_copy(update={key: value}))
    (bad,) = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    assert re.search(rf"gate\.{key} names 'aux'.* log_loss", bad.message)


def test_what_to_do_stands_before_the_traceback_of_a_champion_that_failed(record):
    """A report cuts what is long."""
    traced = '  File "model/__init__.py", line 2, in predict\nKeyError: 1'
    failed = {
        "release_id": "a",
        "trained_on": [],
        "error": f"its code failed: KeyError: 1.\n{traced}",
    }
    findings = gate.judge(change(record, "evaluation.champion", failed), CHECKED, PARAMS)
    (one,) = [finding for finding in findings if finding.verdict is Verdict.INCONCLUSIVE]
    assert re.match(r"a could not be scored: .* KeyError: 1\. Its code is sealed", one.message)
    assert one.message.endswith(f"\n{traced}")


@pytest.mark.parametrize("champion", [None, {"release_id": "a", "trained_on": [], "error": "no."}])
def test_a_misspelt_metric_is_refused_before_there_is_a_champion(record, champion):
    """The mistake is reported at once, not with the first champion."""
    first = change(record, "evaluation.champion", champion)
    findings = gate.judge(first, CHECKED, PARAMS.model_copy(update={"margins": {"AUC": 0.02}}))
    (bad,) = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    assert (bad.rule, bad.subject) == ("M107", "AUC") and "Did you mean 'auc'?" in bad.message


def test_a_metric_without_a_best_constant_is_refused(record):
    """The message does not suggest a typing error, as the metric is measured."""
    findings = gate.judge(record, CHECKED, PARAMS.model_copy(update={"beat_constant": ["auc"]}))
    (bad,) = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    assert "names 'auc', which has no best constant prediction. It can name " in bad.message


def test_a_gate_without_margins_is_inconclusive(record):
    """Without a margin there is no comparison with the champion."""
    assert ("M107", "inconclusive") in failing(
        record, params=PARAMS.model_copy(update={"margins": {}})
    )


def test_a_gpu_that_sums_in_another_order_is_inconclusive(record):
    """The cause may be the hardware or a random number."""
    other = change(record, "training.repeat", "sha256:b")
    other["training"]["device"]["effective"] = "cuda:0"
    assert failing(other) == {("M112", "inconclusive")}


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_the_function_to_blame_for_two_models_is_named(record, device):
    """Models with the same scores differ in their files only, on any device; else it is `train`."""
    other = change(record, "training.repeat", "sha256:b")
    other["training"]["device"]["effective"] = device
    blamed = {}
    for alike in (True, False):
        other["training"]["repeat_scores_alike"] = alike
        findings = gate.judge(other, CHECKED, PARAMS)
        (blamed[alike],) = (one for one in findings if one.rule == "M112")
    assert blamed[True].verdict is Verdict.FAIL
    assert "Both give the same scores, so it is `save` in model/" in blamed[True].message
    assert "`save`" not in blamed[False].message
    assert ("`train` in model/ does not follow the seed" in blamed[False].message) == (
        device == "cpu"
    )


def test_a_single_training_is_reported(record):
    """With train.repeat off the finding states that it was not tested."""
    once = change(record, "training.repeat", None)
    (message,) = [f.message for f in gate.judge(once, CHECKED, PARAMS) if f.rule == "M112"]
    assert message == "Not tested: train.repeat is off."


def test_no_finding_is_no_pass():
    """Without findings the verdict is inconclusive."""
    assert worst([]) is Verdict.INCONCLUSIVE


def test_the_summary_of_a_pass_compares_with_the_champion(record):
    """Each compared metric in words; a first candidate has no comparison."""
    findings = gate.judge(record, CHECKED, PARAMS)
    assert gate.summary(findings, Verdict.PASS) == (
        f"All {len(findings)} checks passed. Not worse, and not proven better, than the model in "
        "production: AUC is 0.0040 higher (-0.0020 to +0.0100); log loss is 0.0020 lower (-0.0100 "
        "to +0.0060)."
    )
    first = gate.judge(change(record, "evaluation.champion", None), CHECKED, PARAMS)
    assert gate.summary(first, Verdict.PASS).endswith(
        "passed. There is no champion yet, so the bounds alone decide."
    )


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        (
            estimate(-0.0271, -0.0363, -0.0181),
            "Worse than the model in production: AUC is 0.0271 lower (0.0181 to 0.0363), 0.0200 "
            "is allowed at worst.",
        ),
        (
            estimate(-0.01, -0.015, -0.005),
            "Worse, but within the margin, than the model in production: AUC is 0.0100 lower "
            "(0.0050 to 0.0150), 0.0200 is allowed at worst.",
        ),
        (
            estimate(-0.01, -0.03, 0.01),
            "Perhaps worse than the model in production: AUC is 0.0100 lower (-0.0300 to +0.0100), "
            "-0.0200 is allowed at worst. Hold out more rows (data.holdout) to decide.",
        ),
        (
            estimate(0.0, 0.0, 0.0),
            "Not worse, and not proven better, than the model in production: AUC is the same.",
        ),
        (
            estimate(0.01, -0.03, 0.05),
            "Better on average, but perhaps worse than the model in production: AUC is 0.0100 "
            "higher (-0.0300 to +0.0500), -0.0200 is allowed at worst. Hold out more rows "
            "(data.holdout) to decide.",
        ),
        (
            estimate(0.00001, -0.01, 0.01),
            "Not worse, and not proven better, than the model in production: AUC is the same on "
            "average (-0.0100 to +0.0100).",
        ),
        (
            estimate(None, None, None),
            "The difference has no interval: no replicate gave a number for both models.",
        ),
    ],
    ids=["worse", "a little worse", "perhaps worse", "the same", "unsure", "close", "no number"],
)
def test_a_difference_is_described_in_words(record, difference, message):
    """Its direction, size, interval and the margin."""
    findings = gate.judge(change(record, AUC + "difference", difference), CHECKED, PARAMS)
    assert [f.message for f in findings if (f.rule, f.subject) == ("M107", "auc")] == [message]


def test_the_summary_names_no_waived_objection(record):
    """A waived finding decides nothing, so it is not named as the reason."""
    bad = change(record, "model.bytes", 900_000_000)
    findings = gate.judge(bad, CHECKED, PARAMS)
    first = next(f for f in findings if f.rule == "M107")
    waived = dataclasses.replace(first, verdict=Verdict.FAIL, waived=True)
    text = gate.summary([waived, *findings], Verdict.FAIL)
    assert text == "900.00 MB, 500 MB allowed (gate.budgets.model_mb). (M111 size)"


def test_the_summary_names_the_worst_and_counts_the_rest(record):
    """One sentence, for a reviewer in a hurry."""
    bad = change(record, "evaluation.metrics.auc.candidate", estimate(0.6, 0.5, 0.62))
    bad = change(bad, "evaluation.metrics.log_loss.constant", 0.4)
    findings = gate.judge(bad, CHECKED, PARAMS)
    text = gate.summary(findings, Verdict.FAIL)
    assert text == (
        "AUC is 0.6000, at least 0.6300 is required (gate.bounds). (M103 auc; 1 more finding)"
    )
