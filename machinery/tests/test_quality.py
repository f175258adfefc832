"""Months unlike those before: each fault, planted in real rows, fails its rule."""

import numpy as np
import pandas as pd
import pytest

from mlops.config.params import CheckParams
from mlops.gate.quality import quality
from mlops.rules import Verdict, worst
from mlops.statistics.quality import profile
from mlops.training import contract, partitions

pytestmark = pytest.mark.example

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
BEFORE = ("2013-08", "2013-09", "2013-10", "2013-11")


@pytest.fixture(scope="module")
def months():
    """All months of the example, unchanged."""
    return {name: partitions.load([name]).frame for name in contract.team_data().partitions()}


def findings_of(frames):
    """The findings of the rules, the newest month held out."""
    profiles = {name: profile(frame, "date") for name, frame in frames.items()}
    return quality(profiles, tuple(frames)[-1:], contract.params().check, 10)


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
    verdicts = {f.rule: f.verdict for f in quality(profiles, ("2",), limits, 10)}
    assert (verdicts["D106"] is Verdict.PASS) == (twins == 2)
    assert (verdicts["D104"] is Verdict.PASS) == (unseen == 20)


def test_a_column_of_categories_for_the_first_time_passes():
    """If no earlier partition has a category, none counts as new."""
    frames = [pd.DataFrame({"date": [1, 2], "town": town}) for town in ([None] * 2, ["a", "b"])]
    profiles = {
        str(n): profile(frame.astype({"town": object}), "date") for n, frame in enumerate(frames)
    }
    verdicts = {
        f.rule: f.verdict for f in quality(profiles, ("1",), CheckParams(missing_shift=1.0), 10)
    }
    assert verdicts["D104"] is Verdict.PASS


def verdicts_of(rule, *columns, holdout="2"):
    """The verdicts of a rule on partitions with these values in a column."""
    profiles = {
        str(n): profile(pd.DataFrame({"date": range(len(column)), "it": column}), "date")
        for n, column in enumerate(columns, 1)
    }
    limits = CheckParams(missing_shift=1.0, least_rows=0.1)
    return {f.verdict for f in quality(profiles, (holdout,), limits, 10) if f.rule == rule}


@pytest.mark.parametrize("before", [[np.nan] * 4, [np.nan, np.nan, np.nan, 1.0]])
def test_a_column_that_begins_with_one_value_has_not_frozen(before):
    """No value or one value before is not several."""
    assert verdicts_of("D105", before, [7.0] * 4) == {Verdict.PASS}
    assert verdicts_of("D105", [1.0, 2.0, np.nan, np.nan], [7.0] * 4) == {Verdict.FAIL}


def test_a_category_that_was_only_declared_is_new():
    """A categorical type declares values that no earlier partition may have."""
    kinds = pd.CategoricalDtype(["a", "b", "c"])
    before, now = (pd.Series(list(values) * 2, dtype=kinds) for values in ("aabb", "aacc"))
    assert verdicts_of("D104", before, now) == {Verdict.FAIL}
    assert verdicts_of("D104", before, before) == {Verdict.PASS}


def test_free_text_is_no_category(months):
    """Remarks are new in every row, which means nothing."""
    frames = {
        name: frame.assign(remark=[f"{name} {n}" for n in range(len(frame))])
        for name, frame in list(months.items())[-2:]
    }
    assert worst(findings_of(frames)) is Verdict.PASS


def refusals(frames, holdout=1, **limits):
    """The rule and subject of each failure in partitions by name."""
    profiles = {name: profile(frame, "date") for name, frame in frames.items()}
    checked = CheckParams(**{"least_rows": 0.1, **limits})
    findings = quality(profiles, tuple(frames)[-holdout:], checked, 10)
    return {(f.rule, f.subject) for f in findings if f.verdict is Verdict.FAIL}


def test_a_rare_value_that_did_not_occur_is_chance():
    """99.7 % of 360 rows are 0, so a third of such partitions hold nothing else."""
    random = np.random.default_rng(1)
    before = [(random.random(360) < 0.003).astype(float) for _ in range(40)]
    before = [column for column in before if column.any()][:12]
    assert verdicts_of("D105", *before, np.zeros(360), holdout="13") == {Verdict.PASS}


@pytest.mark.parametrize(("ones", "verdict"), [(125, Verdict.PASS), (140, Verdict.FAIL)])
def test_one_in_a_hundred_is_the_least_chance(ones, verdict):
    """.9875 to the power of 350 is .0122, .986 to that power .0072."""
    before = np.arange(10_000) % (10_000 // ones) == 0
    before &= np.cumsum(before) <= ones
    assert before.sum() == ones
    assert verdicts_of("D105", before.astype(float), np.zeros(350)) == {verdict}


HOLIDAYS = pd.to_datetime(["2025-12-25", "2026-01-01", "2026-02-16"])


@pytest.fixture
def winter():
    """Hours in partitions of a month, with a column that is 1 on holidays; March has none."""
    frames = {}
    for month in ("2025-12", "2026-01", "2026-02", "2026-03"):
        hours = pd.date_range(month, periods=pd.Period(month).days_in_month * 24, freq="h")
        holiday = pd.Series(hours).dt.normalize().isin(HOLIDAYS).astype("int8")
        frames[month] = pd.DataFrame({"date": hours, "holiday": holiday, "km": range(len(hours))})
    return frames


def test_a_month_without_a_holiday_is_chance(winter):
    """A holiday is a run of 24 hours, so a month without one is quite likely."""
    assert refusals(winter) == set()


def test_only_a_column_that_may_freeze_passes(winter):
    """Snow fell in any hour until spring, which only the team knows; the origin froze."""
    random = np.random.default_rng(0)
    for name, frame in winter.items():
        wintry, rows = name != "2026-03", len(frame)
        frame["snow"] = (random.random(rows) < 0.2 * wintry).astype(float)
        frame["origin"] = random.choice(["a", "b"], rows) if wintry else "a"
    assert refusals(winter) == {("D105", "2026-03 snow"), ("D105", "2026-03 origin")}
    assert refusals(winter, may_freeze=["snow"]) == {("D105", "2026-03 origin")}


def test_rows_sorted_within_a_day_form_no_runs(winter):
    """A loader may sort the rows of a day, or of a partition with one date, by a column."""
    for name, frame in winter.items():
        half = len(frame) // 2
        frame["zone"] = "a" if name == "2026-03" else ["a"] * half + ["b"] * (len(frame) - half)
        frame["date"] = pd.Timestamp(name)
    assert ("D105", "2026-03 zone") in refusals(winter)


def test_an_old_partition_is_accepted_for_good_and_a_new_one_is_not(winter):
    """What is odd in history stays so; new rows need a waiver, which ends."""
    winter["2026-02"]["origin"] = "a"
    winter["2026-03"]["origin"] = "a"
    for name in ("2025-12", "2026-01"):
        winter[name]["origin"] = ["a", "b"] * (len(winter[name]) // 2)
    accepted = ["D105 2026-02 origin", "D105 2026-03 origin"]
    assert refusals(winter, accepted=accepted[1:]) == {("D105", "2026-02 origin")}
    assert refusals(winter, accepted=accepted) == set()
    winter["2026-02"]["origin"] = winter["2026-01"]["origin"].iloc[: len(winter["2026-02"])]
    assert refusals(winter, accepted=accepted) == {("D105", "2026-03 origin")}


def remarks(random, rows, words=8):
    """Texts of a few words, nearly all of them different."""
    vocabulary = [f"word{n}" for n in range(200)]
    return [" ".join(random.choice(vocabulary, words)) for _ in range(rows)]


def test_short_partitions_of_remarks_have_no_categories():
    """Each is new, though there are few enough to count; a re-coded category is found still."""
    random = np.random.default_rng(0)
    frames = {
        str(n): pd.DataFrame(
            {
                "date": pd.Timestamp(2026, n, 1),
                "remark": remarks(random, 300),
                "town": random.choice(list("abcde"), 300),
            }
        )
        for n in range(1, 5)
    }
    assert refusals(frames) == set()
    frames["4"]["town"] = frames["4"]["town"].str.upper()
    assert refusals(frames) == {("D104", "4 town")}


def test_a_column_has_a_share_of_new_categories_of_its_own(months):
    """A third of December's destinations are spelt another way, which only `dest` may be."""
    december, random = months["2013-12"], np.random.default_rng(0)
    other = random.random(len(december)) < 0.3
    december = december.assign(dest=december["dest"].where(~other, december["dest"].str[::-1]))
    frames = {name: months[name] for name in BEFORE} | {"2013-12": december}
    for most, refused_subjects in (
        ({"dest": 0.4}, set()),
        ({"origin": 0.4, "default": 0.05}, {("D104", "2013-12 dest")}),
        ({"origin": 0.4}, {("D104", "2013-12 dest")}),
        (0.4, set()),
    ):
        assert refusals(frames, max_unseen=most) == refused_subjects


def short_rows(random, rows=500):
    """Rows of one of forty texts, so most of them recur in any partition."""
    return pd.DataFrame({"date": range(rows), "text": random.integers(0, 40, rows).astype(str)})


@pytest.mark.parametrize("partitions", [2, 5])
def test_rows_that_recur_in_training_may_recur(partitions):
    """Every text of the held-out rows was there before, as among the training partitions."""
    random = np.random.default_rng(0)
    frames = {str(n): short_rows(random) for n in range(partitions)}
    assert refusals(frames) == set()


def test_a_copied_training_partition_does_not_make_copies_usual(months):
    """Of four training months one was delivered twice; the held-out rows are November's."""
    frames = {name: months[name] for name in BEFORE} | {"2013-12": months["2013-11"]}
    frames["2013-09"] = months["2013-08"]
    assert refusals(frames) == {("D106", "held-out rows")}
