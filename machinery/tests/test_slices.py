"""Slices: a loss in a part of the rows is found, and chance is not mistaken for one."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mlops.config.params import EvaluateParams, GateParams, SliceParams
from mlops.gate.slices import slices
from mlops.rules import Verdict, worst
from mlops.statistics.bootstrap import Comparison
from mlops.statistics.metrics import BUILT_IN
from mlops.statistics.slices import MISSING, ScoredRows, measure, widening
from mlops.training import calls, contract, partitions

GATE = GateParams(
    cluster="day", margins={"log_loss": 0.02}, slices=SliceParams(min_rows=300, min_share=0.8)
)
SETTINGS = EvaluateParams(replicates=400)


def scored(seed=0, broken=None, sizes=(2000, 2000, 500, 100)):
    """Rows of 30 days in four zones; the candidate differs from the champion by noise only,
    and by shuffled scores in the broken zone."""
    random = np.random.default_rng(seed)
    zone = np.repeat(["a", "b", "c", "d"][: len(sizes)], sizes)
    day = random.integers(0, 30, len(zone))
    chance = random.uniform(0.1, 0.6, len(zone))
    target = (random.random(len(zone)) < chance).astype(int)
    candidate = np.clip(chance + random.normal(0, 0.02, len(zone)), 0.01, 0.99)
    if broken:
        rows = zone == broken
        candidate[rows] = random.permutation(candidate[rows])
    return ScoredRows(pd.DataFrame({"zone": zone}), target, day, candidate, chance)


def judged(scored, gate=GATE):
    """The rule's findings about these scores."""
    metric = BUILT_IN["log_loss"]
    measured = measure(scored, ("zone",), [metric], SETTINGS, gate)
    evaluation = {
        "rows": len(scored.target),
        "cluster": None if scored.cluster is None else "day",
        "champion": None if scored.champion is None else {"error": None},
        "metrics": {"log_loss": {"higher_is_better": False}},
        "slices": measured,
    }
    return list(slices(evaluation, gate))


def test_a_broken_slice_is_refused_by_name():
    """The scores of one zone, a ninth of all rows, are shuffled."""
    (finding,) = judged(scored(broken="c"))
    assert (finding.rule, finding.subject, finding.verdict) == ("M108", "zone=c", Verdict.FAIL)
    assert "0.0200 is allowed, in 500 rows" in finding.message


def test_noise_is_seldom_refused():
    """Twenty innocent candidates, sixty comparisons, none refused."""
    assert all(worst(judged(scored(seed))) is Verdict.PASS for seed in range(20))


def test_a_slice_that_is_too_small_is_named():
    """A zone of 100 rows is not compared, and the message names it."""
    (finding,) = judged(scored())
    assert "3 of 4 values compared, 97.8% of the rows" in finding.message
    assert finding.message.endswith("too small to compare: d (100 rows).")


def test_too_many_small_slices_are_inconclusive():
    """Most rows in small slices are compared with nothing."""
    (finding,) = judged(scored(sizes=(400, 250, 250, 250)))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "gate.slices.min_share" in finding.message


@pytest.mark.parametrize("champion", [True, False], ids=["later", "first release"])
def test_days_that_are_too_few_are_named_at_once(champion):
    """Ten days of weekends are no more at the next release, however many rows they have."""
    rows = scored(sizes=(2000, 2000))
    weekend = rows.frame["zone"] == "b"
    rows.cluster[weekend] %= 10
    rows = rows if champion else dataclasses.replace(rows, champion=None)
    few = [f for f in judged(rows) if f.verdict is not Verdict.PASS]
    assert [(f.subject, f.verdict) for f in few] == [("zone", Verdict.INCONCLUSIVE)]
    assert "too small to compare: b (10 groups of day)" in few[0].message
    assert "SLICES or none, or lower gate.min_clusters (20)." in few[0].message
    lower = GATE.model_copy(update={"min_clusters": 10})
    assert worst(judged(rows, lower)) is Verdict.PASS


def test_few_groups_make_a_slice_too_small():
    """A thousand rows of three days count as three groups."""
    rows = scored()
    rows.cluster[rows.frame["zone"] == "a"] %= 3
    measured = measure(rows, ("zone",), [], SETTINGS, GATE)
    assert measured["columns"]["zone"]["small"]["largest"] == ["a", "d"]


def test_as_many_groups_as_required_are_enough():
    """Each zone of 500 rows or more has all thirty days."""
    for least, compared in ((30, 3), (31, 0)):
        gate = GATE.model_copy(update={"min_clusters": least})
        assert len(measure(scored(), ("zone",), [], SETTINGS, gate)["compared"]) == compared


@pytest.mark.parametrize("cluster", [True, False], ids=["days", "rows"])
def test_a_slice_s_interval_is_that_of_its_rows_widened(cluster):
    """Three zones in two metrics are six comparisons; the value itself stays."""
    rows, metrics = scored(broken="c"), [BUILT_IN["log_loss"], BUILT_IN["brier"]]
    rows = dataclasses.replace(rows, cluster=rows.cluster if cluster else None)
    measured = measure(rows, ("zone",), metrics, SETTINGS, GATE)
    assert measured["comparisons"] == 6
    for part in measured["compared"]:
        inside = (rows.frame["zone"] == part["value"]).to_numpy()
        days = rows.cluster[inside] if cluster else None
        alone = Comparison(rows.target[inside], days, SETTINGS)
        expected = alone.estimates(metrics[0], rows.candidate[inside], rows.champion[inside])
        plain, times = expected["difference"], widening(0.95, 6, alone.drawn)
        assert alone.drawn == (30 if cluster else 400)
        difference = part["metrics"]["log_loss"]["difference"]
        assert difference["value"] == plain.value
        assert difference["value"] - difference["low"] == pytest.approx(
            times * (plain.value - plain.low)
        )
        assert difference["high"] - difference["value"] == pytest.approx(
            times * (plain.high - plain.value)
        )


def test_a_slice_of_one_class_has_no_auc():
    """The AUC is null, and the other metrics judge the slice."""
    rows = scored()
    rows.target[rows.frame["zone"] == "c"] = 0
    measured = measure(rows, ("zone",), [BUILT_IN["auc"], BUILT_IN["brier"]], SETTINGS, GATE)
    (part,) = [part for part in measured["compared"] if part["value"] == "c"]
    assert part["metrics"]["auc"]["difference"]["value"] is None
    assert part["metrics"]["brier"]["difference"]["value"] is not None


def test_missing_values_are_a_slice():
    """Rows without a value form a slice of their own."""
    rows = scored()
    rows.frame.loc[rows.frame["zone"] == "a", "zone"] = None
    measured = measure(rows, ("zone",), [], SETTINGS, GATE)
    assert MISSING in [part["value"] for part in measured["compared"]]


def test_without_a_champion_slices_are_measured():
    """The first model's slices are shown but not judged."""
    rows = scored()
    alone = ScoredRows(rows.frame, rows.target, rows.cluster, rows.candidate, None)
    assert worst(judged(alone)) is Verdict.PASS


@pytest.mark.parametrize(("comparisons", "groups", "times"), [(1, 30, 1.0), (20, 30, 1.62)])
def test_intervals_widen_with_comparisons_and_few_groups(comparisons, groups, times):
    """By Student's t of 29 degrees of freedom: 3.31 with .00125 in a tail, 2.05 with .025."""
    assert widening(0.95, comparisons, groups) == pytest.approx(times, abs=0.01)


def test_a_constant_score_is_compared_too():
    """It is worse everywhere, and its lack of variance causes no error."""
    rows = scored()
    flat = ScoredRows(
        rows.frame, rows.target, rows.cluster, np.full(len(rows.target), 0.9), rows.champion
    )
    assert {finding.subject for finding in judged(flat)} == {"zone=a", "zone=b", "zone=c"}


@pytest.mark.example
def test_an_airline_whose_schedule_is_wrong_is_refused():
    """On real flights: the same model, but one airline flies at ten at night only."""
    team, features = contract.team_model(), list(contract.columns("date").features)
    params = contract.params().model.model_copy(update={"n_estimators": 40, "learning_rate": 0.2})
    earlier, frame = (partitions.load([name]).frame for name in ("2013-06", "2013-07"))
    options = {"device": "cpu", "threads": 1, "seed": 0}
    model = team.train(earlier[features], earlier["late"].to_numpy(), params, **options)
    times = {"hour": 22, "sched_dep_min": 1320, "sched_arr_min": 1400}
    broken = frame[features].copy()
    broken.loc[frame["carrier"] == "EV", list(times)] = list(times.values())
    before, after = (calls.predict(model, rows) for rows in (frame[features], broken))
    target, day = frame["late"].to_numpy(), frame["date"].to_numpy()
    findings = judged(ScoredRows(frame.assign(zone=frame["carrier"]), target, day, after, before))
    assert [f.subject for f in findings if f.verdict is Verdict.FAIL] == ["zone=EV"]
