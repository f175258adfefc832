"""A feature that knows the outcome stands out by itself; honest, empty and odd ones do not."""

import numpy as np
import pandas as pd
import pytest

from mlops.config.params import GateParams
from mlops.gate.leakage import leaking
from mlops.statistics.leakage import strengths
from mlops.training import contract

pytestmark = pytest.mark.example


@pytest.fixture(scope="module")
def july():
    """The month in which the schedule alone tells most."""
    return contract.load(["2013-07"]).frame


def worth(frame, target, groups=None):
    """What each column of a frame is worth by itself."""
    return strengths(frame, tuple(frame.columns), np.asarray(target), groups)


def refused(found):
    """The subjects the rule objects to."""
    findings = leaking({"features": found}, GateParams())
    return [finding.subject for finding in findings if finding.verdict == "fail"]


def test_the_example_s_features_pass(july):
    """The hour is worth most, and no more than an honest feature may be."""
    features = contract.columns("date").features
    found = worth(july[list(features)], july["late"], july["date"].to_numpy())
    assert refused(found) == []
    assert 0.69 < max(found["strength"].values()) < 0.71


def test_the_delay_at_departure_is_refused(july):
    """Known too late, and missing for some; its values are made from the outcome and noise."""
    random = np.random.default_rng(0)
    delay = np.where(july["late"] == 1, 40, -3) + random.normal(0, 15, len(july)).round()
    delay[::9] = np.nan
    found = worth(july.assign(delay=delay)[["hour", "delay"]], july["late"])
    assert refused(found) == ["delay"]


def test_a_leak_in_what_is_missing_is_refused(july):
    """A landing time that only flights have which came on time: the value says nothing."""
    landed = np.where(july["late"] == 1, np.nan, 1.0)
    assert refused(worth(pd.DataFrame({"landed": landed}), july["late"])) == ["landed"]


@pytest.mark.parametrize("rows", [40, 60, 113])
def test_a_leak_in_few_rows_is_refused(rows):
    """Where fifty bins would hold a row each, and the other half none to learn from."""
    random = np.random.default_rng(0)
    late = (random.random(rows) < 0.35).astype(int)
    known = late * 40 + random.normal(0, 5, rows)
    assert refused(worth(pd.DataFrame({"known": known}), late)) == ["known"]


def test_chance_in_few_rows_is_not_refused():
    """Noise is worth little more than nothing, whatever the rows."""
    random = np.random.default_rng(0)
    noise = pd.DataFrame({f"noise {n}": random.normal(0, 1, 60) for n in range(200)})
    assert refused(worth(noise, (random.random(60) < 0.35).astype(int))) == []


def test_a_leak_that_is_not_monotone_is_refused(july):
    """Codes say it as well as numbers do."""
    code = np.where(july["late"] == 1, "L", "O").astype(object) + july["carrier"]
    assert refused(worth(pd.DataFrame({"code": code}), july["late"])) == ["code"]


def test_a_number_for_each_row_knows_nothing(july):
    """Every value seen once predicts nothing in the other half of the rows."""
    name = [f"row {n}" for n in range(len(july))]
    found = worth(pd.DataFrame({"name": name}), july["late"])["strength"]
    assert found["name"] == pytest.approx(0.5, abs=0.02)


def test_empty_and_constant_columns_know_nothing(july):
    """They are no error either."""
    frame = pd.DataFrame({"empty": np.full(len(july), np.nan), "one": 1.0})
    found = worth(frame, july["late"])["strength"]
    assert found == pytest.approx({"empty": 0.5, "one": 0.5}, abs=0.02)


def test_a_regression_is_measured_by_the_variance_explained():
    """The price before tax gives the price away; the distance does not."""
    random = np.random.default_rng(0)
    km = random.uniform(1, 20, 3000)
    fare = 3 + 2 * km + random.normal(0, 4, 3000)
    found = worth(pd.DataFrame({"km": km, "net": fare / 1.19}), fare)
    assert found["measure"] == "r2" and found["strength"]["km"] < 0.95
    assert refused(found) == ["net"]


@pytest.mark.parametrize(
    ("target", "groups", "told"),
    [
        ([0, 0, 0], ["a", "b", "c"], "the held-out rows have one outcome only."),
        ([0, 1, 0], ["a", "a", "a"], "the held-out rows are of one group only (gate.cluster)."),
    ],
)
def test_why_nothing_could_be_tried_is_told(target, groups, told):
    """Of one outcome there is nothing to predict, of one group no other half to learn from."""
    found = worth(pd.DataFrame({"km": [1.0, 2.0, 3.0]}), target, np.array(groups))
    evaluation = {"features": found, "groups": len(set(groups))}
    (finding,) = leaking(evaluation, GateParams())
    assert finding.message == f"No feature could be tried: {told}"


def test_a_name_of_the_group_knows_nothing_of_other_groups():
    """Rows of one day share their weather: what only names the day is no leak, if days are told."""
    random = np.random.default_rng(1)
    day = np.repeat(np.arange(400), 10)
    late = random.integers(0, 2, 400)[day]
    frame = pd.DataFrame({"day": [f"day {n}" for n in day]})
    assert worth(frame, late, day)["strength"]["day"] == pytest.approx(0.5, abs=0.03)
    assert worth(frame, late)["strength"]["day"] == 1


@pytest.mark.parametrize("outcome", [7, 2.2, 1e9 + 0.1])
def test_a_target_that_never_varies_explains_nothing(outcome):
    """Neither two outcomes nor a spread to be explained; the mean's last digit is none."""
    found = worth(pd.DataFrame({"km": np.arange(30) % 2}), [outcome] * 30)
    assert found == {"measure": "r2", "strength": {"km": None}}
