"""Months unlike those before: each fault, planted in real rows, fails its rule."""

import numpy as np
import pandas as pd
import pytest

from mlops.config.params import CheckParams
from mlops.gate.quality import quality
from mlops.rules import Verdict, worst
from mlops.statistics.quality import profile
from mlops.training import contract

pytestmark = pytest.mark.example

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
BEFORE = ("2013-08", "2013-09", "2013-10", "2013-11")


@pytest.fixture(scope="module")
def months():
    """All months of the example, unchanged."""
    return {name: contract.load([name]).frame for name in contract.team_data().partitions()}


def findings_of(frames):
    """The findings of the rules, the newest month held out."""
    profiles = {name: profile(frame, "date") for name, frame in frames.items()}
    return quality(profiles, tuple(frames)[-1:], contract.params().check)


def refused(months, december):
    """The rules, with subjects, that a December like this fails."""
    frames = {name: months[name] for name in BEFORE} | {"2013-12": december}
    return {(f.rule, f.subject) for f in findings_of(frames) if f.verdict is Verdict.FAIL}


@pytest.mark.parametrize("first", [0, 4, 10])
def test_every_real_month_passes(months, first):
    """The whole year, and the shorter histories that a fork begins with."""
    assert worst(findings_of(dict(list(months.items())[first:]))) is Verdict.PASS


def test_half_of_the_rows_gone_is_refused(months):
    """A partition that was cut short."""
    assert refused(months, months["2013-12"].iloc[::2]) == {("D102", "2013-12")}


def test_rows_delivered_three_times_are_refused(months):
    """Too many rows are as wrong as too few."""
    december = months["2013-12"]
    assert refused(months, december.loc[december.index.repeat(3)]) == {("D102", "2013-12")}


def test_a_weather_feed_that_stopped_is_refused(months):
    """Every column of it is named."""
    december = months["2013-12"].assign(**dict.fromkeys(WEATHER, np.float32("nan")))
    assert refused(months, december) == {("D103", f"2013-12 {name}") for name in WEATHER}


def test_missing_values_filled_with_a_default_are_refused(months):
    """Gusts are mostly missing; a full column is as suspicious as an empty one."""
    december = months["2013-12"].fillna({"wind_gust": 20.0})
    assert refused(months, december) == {("D103", "2013-12 wind_gust")}


def test_destinations_spelt_another_way_are_refused(months):
    """A third of them are unknown to every month before, and examples are named."""
    december, random = months["2013-12"], np.random.default_rng(0)
    other = random.random(len(december)) < 0.3
    december = december.assign(dest=december["dest"].where(~other, december["dest"].str[::-1]))
    assert refused(months, december) == {("D104", "2013-12 dest")}


def test_a_column_that_froze_is_refused(months):
    """A constant category or number that used to vary."""
    december = months["2013-12"].assign(origin="JFK", distance=np.int16(1000))
    assert refused(months, december) == {("D105", "2013-12 origin"), ("D105", "2013-12 distance")}


def test_one_outcome_only_is_refused(months):
    """Labels that have not arrived yet look like flights that were all on time."""
    december = months["2013-12"].assign(late=np.int8(0))
    assert ("D105", "2013-12 late") in refused(months, december)


def test_rows_of_the_training_months_are_refused(months):
    """Some of November's flights, dated to December."""
    december = months["2013-12"].copy()
    columns = december.columns.drop("date")
    december.loc[:99, columns] = months["2013-11"].loc[:99, columns]
    assert refused(months, december) == {("D106", "held-out rows")}


@pytest.mark.parametrize("twins", [2, 3])
@pytest.mark.parametrize("unseen", [20, 21])
def test_as_many_twins_and_unseen_categories_as_allowed_pass(twins, unseen):
    """Of two hundred held-out rows two may be duplicates, twenty may have a new category."""
    limits = CheckParams(max_twins=0.01, max_unseen=0.1)
    then = pd.DataFrame({"date": range(200), "km": range(200), "town": ["a", "b"] * 100})
    now = then.assign(km=then["km"].where(then.index < twins, then["km"] + 1000))
    now.loc[200 - unseen :, "town"] = "c"
    profiles = {"1": profile(then, "date"), "2": profile(now, "date")}
    verdicts = {f.rule: f.verdict for f in quality(profiles, ("2",), limits)}
    assert (verdicts["D106"] is Verdict.PASS) == (twins == 2)
    assert (verdicts["D104"] is Verdict.PASS) == (unseen == 20)


def test_a_column_of_categories_for_the_first_time_passes():
    """If no earlier partition has a category, none counts as new."""
    frames = [pd.DataFrame({"date": [1, 2], "town": town}) for town in ([None] * 2, ["a", "b"])]
    profiles = {
        str(n): profile(frame.astype({"town": object}), "date") for n, frame in enumerate(frames)
    }
    verdicts = {
        f.rule: f.verdict for f in quality(profiles, ("1",), CheckParams(missing_shift=1.0))
    }
    assert verdicts["D104"] is Verdict.PASS


def verdicts_of(rule, *columns, holdout="2"):
    """The verdicts of a rule on partitions with these values in a column."""
    profiles = {
        str(n): profile(pd.DataFrame({"date": range(len(column)), "it": column}), "date")
        for n, column in enumerate(columns, 1)
    }
    limits = CheckParams(missing_shift=1.0, least_rows=0.1)
    return {f.verdict for f in quality(profiles, (holdout,), limits) if f.rule == rule}


@pytest.mark.parametrize("before", [[np.nan] * 4, [np.nan, np.nan, np.nan, 1.0]])
def test_a_column_that_begins_with_one_value_has_not_frozen(before):
    """No value or one value before is not several."""
    assert verdicts_of("D105", before, [7.0] * 4) == {Verdict.PASS}
    assert verdicts_of("D105", [1.0, 2.0, np.nan, np.nan], [7.0] * 4) == {Verdict.FAIL}


def test_a_category_that_was_only_declared_is_new():
    """A categorical type declares values that no earlier partition may have."""
    kinds = pd.CategoricalDtype(["a", "b", "c"])
    before, now = (pd.Series(list(values), dtype=kinds) for values in ("aabb", "aacc"))
    assert verdicts_of("D104", before, now) == {Verdict.FAIL}
    assert verdicts_of("D104", before, before) == {Verdict.PASS}


def test_free_text_is_no_category(months):
    """Remarks are new in every row, which means nothing."""
    frames = {
        name: frame.assign(remark=[f"{name} {n}" for n in range(len(frame))])
        for name, frame in list(months.items())[-2:]
    }
    assert worst(findings_of(frames)) is Verdict.PASS
