"""A leaking feature is refused; honest, empty and odd ones pass."""

import numpy as np
import pandas as pd
import pytest

from mlops.config.params import GateParams, LeakageParams
from mlops.gate.leakage import leaking
from mlops.statistics.leakage import strengths
from mlops.training import contract, partitions

pytestmark = pytest.mark.example


@pytest.fixture(scope="module")
def july():
    """The month in which the schedule predicts most."""
    return partitions.load(["2013-07"]).frame


def strength_of(frame, target, groups=None):
    """The strength of each column of a frame alone."""
    return strengths(frame, tuple(frame.columns), np.asarray(target), groups)


def refused(strength):
    """The subjects that the rule fails."""
    bound = GateParams(leakage=LeakageParams(max_auc=0.8))
    findings = leaking({"features": strength}, bound)
    return [finding.subject for finding in findings if finding.verdict == "fail"]


def test_the_example_s_features_pass(july):
    """The hour is the strongest feature, within the bound."""
    features = contract.columns("date").features
    strength = strength_of(july[list(features)], july["late"], july["date"].to_numpy())
    assert refused(strength) == []
    assert 0.69 < max(strength["strength"].values()) < 0.71


def test_the_delay_at_departure_is_refused(july):
    """Known too late, and missing in some rows; its values are the outcome with noise."""
    random = np.random.default_rng(0)
    delay = np.where(july["late"] == 1, 40, -3) + random.normal(0, 15, len(july)).round()
    delay[::9] = np.nan
    strength = strength_of(july.assign(delay=delay)[["hour", "delay"]], july["late"])
    assert refused(strength) == ["delay"]


def test_a_leak_in_what_is_missing_is_refused(july):
    """Only punctual flights have a landing time, so its absence reveals the outcome."""
    landed = np.where(july["late"] == 1, np.nan, 1.0)
    assert refused(strength_of(pd.DataFrame({"landed": landed}), july["late"])) == ["landed"]


@pytest.mark.parametrize("rows", [40, 60, 113])
def test_a_leak_in_few_rows_is_refused(rows):
    """With fifty bins each would hold one row, and often none in the other half."""
    random = np.random.default_rng(0)
    late = (random.random(rows) < 0.35).astype(int)
    delay = late * 40 + random.normal(0, 5, rows)
    assert refused(strength_of(pd.DataFrame({"delay": delay}), late)) == ["delay"]


def test_chance_in_few_rows_is_not_refused():
    """Noise stays below the bound, however few the rows."""
    random = np.random.default_rng(0)
    noise = pd.DataFrame({f"noise {n}": random.normal(0, 1, 60) for n in range(200)})
    assert refused(strength_of(noise, (random.random(60) < 0.35).astype(int))) == []


def test_a_leak_that_is_not_monotone_is_refused(july):
    """Codes leak like numbers."""
    code = np.where(july["late"] == 1, "L", "O").astype(object) + july["carrier"]
    assert refused(strength_of(pd.DataFrame({"code": code}), july["late"])) == ["code"]


def test_a_number_for_each_row_knows_nothing(july):
    """A value that occurs once predicts nothing in the other half of the rows."""
    name = [f"row {n}" for n in range(len(july))]
    strength = strength_of(pd.DataFrame({"name": name}), july["late"])["strength"]
    assert strength["name"] == pytest.approx(0.5, abs=0.02)


def test_empty_and_constant_columns_know_nothing(july):
    """They cause no error either."""
    frame = pd.DataFrame({"empty": np.full(len(july), np.nan), "one": 1.0})
    strength = strength_of(frame, july["late"])["strength"]
    assert strength == pytest.approx({"empty": 0.5, "one": 0.5}, abs=0.02)


def test_a_regression_is_measured_by_the_variance_explained():
    """The net price leaks the price; the distance does not."""
    random = np.random.default_rng(0)
    km = random.uniform(1, 20, 3000)
    fare = 3 + 2 * km + random.normal(0, 4, 3000)
    strength = strength_of(pd.DataFrame({"km": km, "net": fare / 1.19}), fare)
    assert strength["measure"] == "r2" and strength["strength"]["km"] < 0.95
    assert refused(strength) == ["net"]


@pytest.mark.parametrize(
    ("target", "groups", "reason"),
    [
        ([0, 0, 0], ["a", "b", "c"], "the held-out rows have one outcome only."),
        ([0, 1, 0], ["a", "a", "a"], "the held-out rows form one group only (gate.cluster)."),
    ],
)
def test_the_message_names_why_no_feature_could_be_tested(target, groups, reason):
    """With one outcome there is nothing to predict, with one group no other half."""
    strength = strength_of(pd.DataFrame({"km": [1.0, 2.0, 3.0]}), target, np.array(groups))
    evaluation = {"features": strength, "groups": len(set(groups))}
    (finding,) = leaking(evaluation, GateParams())
    assert finding.message == f"No feature could be tested: {reason}"


def test_a_name_of_the_group_knows_nothing_of_other_groups():
    """Rows of one day share their weather: a name of the day is no leak if days are groups."""
    random = np.random.default_rng(1)
    day = np.repeat(np.arange(400), 10)
    late = random.integers(0, 2, 400)[day]
    frame = pd.DataFrame({"day": [f"day {n}" for n in day]})
    assert strength_of(frame, late, day)["strength"]["day"] == pytest.approx(0.5, abs=0.03)
    assert strength_of(frame, late)["strength"]["day"] == 1


@pytest.mark.parametrize("outcome", [7, 2.2, 1e9 + 0.1])
def test_a_target_that_never_varies_explains_nothing(outcome):
    """Neither two outcomes nor variance; a rounding error of the mean is no variance."""
    strength = strength_of(pd.DataFrame({"km": np.arange(30) % 2}), [outcome] * 30)
    assert strength == {"measure": "r2", "strength": {"km": None}}


@pytest.mark.parametrize(("most", "subjects"), [(0.98, ["km"]), (None, [])])
def test_a_bound_may_be_unset(most, subjects):
    """By default only a feature that nearly is the outcome is refused."""
    strength = {"measure": "auc", "strength": {"km": 0.99, "hour": 0.97}}
    gate = GateParams(leakage=LeakageParams(max_auc=most))
    findings = list(leaking({"features": strength, "groups": 30}, gate))
    assert [finding.subject for finding in findings if finding.verdict == "fail"] == subjects
    assert most or findings[0].message == "No bound is set (gate.leakage.max_auc)."
    assert LeakageParams().max_auc == 0.98
