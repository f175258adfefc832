"""The verdict of a load test: chance decides nothing, and a really bad service is refused."""

import random
from collections import Counter

import pytest
from scipy import stats

from mlops.config.params import LoadtestParams
from mlops.load.loadtest import (
    RULES,
    Interval,
    Traffic,
    at_least,
    failure_share,
    figures,
    judge,
    percentile,
    read_traffic,
    summary,
)
from mlops.rules import Verdict, worst

LIMITS = LoadtestParams(p95_ms=200, max_error_ratio=0.01, min_requests=200)
FAST = Counter({5: 900, 20: 100})


def verdicts(traffic, release_ids=("r-1", "r-1"), limits=LIMITS):
    """The verdict of each rule that judged."""
    return {f.rule: str(f.verdict) for f in judge("r-1", release_ids, traffic, limits)}


def test_a_fast_service_without_failures_passes():
    """It passes every rule."""
    assert verdicts(Traffic(1000, 0, FAST)) == {rule.id: "pass" for rule in RULES}


@pytest.mark.parametrize(
    "failures, verdict",
    [(0, "pass"), (1, "pass"), (10, "pass"), (11, "inconclusive"), (17, "inconclusive")]
    + [(20, "fail"), (1000, "fail")],
)
def test_failures_of_a_thousand_against_one_percent(failures, verdict):
    """Above the bound, only an excess that chance does not explain is a failure."""
    assert verdicts(Traffic(1000, failures, FAST))["L103"] == verdict


def test_a_single_failure_under_a_strict_bound_is_no_fail():
    """One in 200 with a bound of one in 1000 is inconclusive."""
    limits = LIMITS.model_copy(update={"max_error_ratio": 0.001})
    assert verdicts(Traffic(200, 1, {5: 200}), limits=limits)["L103"] == "inconclusive"


@pytest.mark.parametrize(
    "slow, verdict", [(0, "pass"), (50, "pass"), (55, "inconclusive"), (80, "fail")]
)
def test_slow_answers_of_a_thousand_against_the_95th_percentile(slow, verdict):
    """50 of 1000 may be slow; a few more may be chance; 80 are not."""
    assert verdicts(Traffic(1000, 0, {5: 1000 - slow, 900: slow}))["L104"] == verdict


def test_few_requests_do_not_pass():
    """Few good requests are inconclusive, but few that are plainly too slow fail."""
    good, slow = Traffic(199, 0, {5: 199}), Traffic(40, 0, {2000: 40})
    assert worst(judge("r-1", ["r-1"], good, LIMITS)) is Verdict.INCONCLUSIVE
    assert verdicts(slow) == {
        "L101": "pass",
        "L102": "inconclusive",
        "L103": "pass",
        "L104": "fail",
    }


def test_no_request_at_all_is_inconclusive():
    """No share and no percentile can be computed."""
    assert verdicts(Traffic(0, 0, {})) == {"L101": "pass", "L102": "inconclusive"}
    assert figures(Traffic(0, 0, {})) == {"requests": 0, "failures": 0}


@pytest.mark.parametrize("release_ids", [("r-1", "r-2", "r-1"), ("r-1", "r-2"), ("r-2", None)])
def test_another_release_voids_the_test(release_ids):
    """It does so whatever the counts, and even if the first release returns."""
    findings = judge("r-1", release_ids, Traffic(1000, 1000, FAST), LIMITS)
    assert [(f.rule, f.verdict) for f in findings] == [("L101", Verdict.INCONCLUSIVE)]
    assert "void: r-2 answered as well" in summary(findings, Verdict.INCONCLUSIVE)


def test_a_service_that_is_gone_after_the_test_fails():
    """A missing answer during the test is tolerated, one after it is not."""
    good = Traffic(1000, 0, FAST)
    assert verdicts(good, release_ids=("r-1", None, "r-1"))["L101"] == "pass"
    assert verdicts(good, release_ids=("r-1", "r-1", None))["L101"] == "fail"


def test_the_reason_is_one_sentence():
    """It names the deciding rule, or the figures of a pass."""
    passed = judge("r-1", ["r-1"], Traffic(1000, 2, FAST), LIMITS)
    assert summary(passed, Verdict.PASS).startswith("requests 1,000; failures 2, 0.20% [")
    failed = judge("r-1", ["r-1"], Traffic(1000, 0, {900: 1000}), LIMITS)
    assert summary(failed, Verdict.FAIL).startswith("L104 900 ms [900, 900], at most 200 ms")


def test_the_entries_of_locust_are_added_up():
    """Locust writes one entry for each name of a request."""
    times = {"start_time": 100.0, "last_request_timestamp": 108.0}
    entry = {"num_requests": 3, "num_failures": 1, "response_times": {"5": 2, "20": 1}, **times}
    other = {"num_requests": 1, "num_failures": 0, "response_times": {"20": 1}, **times}
    other["last_request_timestamp"] = 109.5
    assert read_traffic([entry, other]) == Traffic(4, 1, {5: 2, 20: 2}, seconds=9.5)
    assert read_traffic([]) == Traffic(0, 0, {})


def test_the_tail_is_that_of_scipy():
    """Compared for both tails, few and many trials, and the ends of the range."""
    chance = random.Random(0)
    for _ in range(500):
        n = chance.choice([1, 7, 300, 100_000])
        k, p = chance.randint(-1, n + 1), chance.choice([0, 0.001, 0.05, 0.5, 0.95, 1])
        assert at_least(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), abs=1e-9)


@pytest.mark.parametrize("failed, count", [(0, 200), (1, 200), (3, 1500), (200, 200)])
def test_the_interval_of_a_share_is_that_of_scipy(failed, count):
    """Clopper and Pearson's."""
    share = failure_share(Traffic(count, failed, {}))
    expected = stats.binomtest(failed, count).proportion_ci(0.95, "exact")
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_of_a_percentile_covers_it():
    """It does in at least 95 % of the tests of 300 requests, less three standard errors."""
    chance, covered = random.Random(0), 0
    for _ in range(400):
        drawn = Counter(chance.randint(1, 10_000) for _ in range(300))
        interval = percentile(Traffic(300, 0, drawn), 0.95)
        covered += interval.low <= 9_500 <= interval.high
    assert covered / 400 >= 0.95 - 3 * (0.95 * 0.05 / 400) ** 0.5


@pytest.mark.parametrize("count", [20, 100, 1000, 5000])
def test_the_interval_of_a_percentile_is_the_narrowest_that_holds(count):
    """Each end is the last rank beyond which at most 2.5 % remain; the latencies are 1, 2, 3 ..."""
    traffic, below = Traffic(count, 0, dict.fromkeys(range(1, count + 1), 1)), stats.binom(
        count, 0.95
    )
    interval = percentile(traffic, 0.95)
    low, high = int(interval.low), int(interval.high)
    assert interval.value == round(0.95 * count)
    assert below.cdf(low - 1) <= 0.025 < below.cdf(low)
    assert high == count or below.sf(high - 1) <= 0.025 < below.sf(high - 2)


@pytest.mark.parametrize(
    ("percents", "verdict"),
    [((1.0, 0.9), "pass"), ((1.1, 1.0), "inconclusive"), ((1.1, 1.01), "fail")],
)
def test_a_value_at_its_bound_passes(monkeypatch, percents, verdict):
    """Only a value whose whole interval is beyond the bound fails."""
    interval = Interval(percents[0] / 100, percents[1] / 100, 1.0)
    monkeypatch.setattr("mlops.load.loadtest.failure_share", lambda _: interval)
    assert verdicts(Traffic(1000, 10, FAST))["L103"] == verdict


def test_the_figures_are_those_of_the_traffic():
    """They are rounded, since a release holds them."""
    share = stats.binomtest(2, 1000).proportion_ci(0.95, "exact")
    assert figures(Traffic(1000, 2, FAST, seconds=9.96)) == {
        "requests": 1000,
        "failures": 2,
        "seconds": 10.0,
        "failure_ratio": 0.002,
        "failure_ratio_low": round(share.low, 6),
        "failure_ratio_high": round(share.high, 6),
        "p50_ms": 5.0,
        "p95_ms": 20.0,
        "p95_low_ms": 20.0,
        "p95_high_ms": 20.0,
    }


def test_a_service_that_was_never_asked_fails():
    """No release id was ever reported."""
    assert verdicts(Traffic(1000, 0, FAST), release_ids=())["L101"] == "fail"
