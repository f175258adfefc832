"""What a load test says: from Locust's counts to findings and figures. Pure: asks nobody.

Failures are judged by an exact binomial interval and the 95th percentile by an interval of order
statistics, so a single failure or slow answer decides nothing. Both take requests as independent,
which those of one user, one after the other, are only nearly.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.config.params import LoadtestParams
from mlops.rules import Finding, Rule, Verdict

CONFIDENCE = 0.95
QUANTILE = 0.95

SAME_RELEASE = Rule("L101", "One release answers, from the first request of the test to the last.")
ENOUGH_REQUESTS = Rule("L102", "There are enough requests to pass a release on.")
FEW_FAILURES = Rule("L103", "The share of failed requests keeps to its bound.")
FAST_ENOUGH = Rule("L104", "The 95th percentile of latency keeps to its budget.")

RULES = (SAME_RELEASE, ENOUGH_REQUESTS, FEW_FAILURES, FAST_ENOUGH)


@dataclass(frozen=True)
class Traffic:
    """What Locust counted; latencies are whole milliseconds, above 100 rounded to two digits."""

    requests: int
    failures: int
    latencies: Mapping[int, int]
    seconds: float = 0.0


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def read_traffic(statistics: Iterable[Mapping[str, Any]]) -> Traffic:
    """Add up the entries of the JSON that Locust writes."""
    entries = list(statistics)
    latencies: Counter[int] = Counter()
    for entry in entries:
        latencies.update({int(ms): count for ms, count in entry["response_times"].items()})
    requests = sum(entry["num_requests"] for entry in entries)
    failures = sum(entry["num_failures"] for entry in entries)
    begun = min((entry["start_time"] for entry in entries), default=0.0)
    ended = max((entry["last_request_timestamp"] or begun for entry in entries), default=0.0)
    return Traffic(requests, failures, latencies, ended - begun)


def judge(
    release_id: str, seen: Sequence[str | None], traffic: Traffic, limits: LoadtestParams
) -> list[Finding]:
    """Return what each rule finds; `seen` answered during the test and, the last of them, after."""
    same = _same_release(release_id, seen)
    if same.verdict is Verdict.INCONCLUSIVE:
        return [same]
    findings = [same, _enough(traffic, limits)]
    if traffic.requests:
        findings += [_failures(traffic, limits), _latency(traffic, limits)]
    return findings


def figures(traffic: Traffic) -> dict[str, float]:
    """Return what was measured, for the record of the release."""
    counts = {"requests": traffic.requests, "failures": traffic.failures}
    if not traffic.requests:
        return counts
    share, slow = failure_share(traffic), percentile(traffic, QUANTILE)
    return counts | {
        "seconds": round(traffic.seconds, 1),
        "failure_ratio": round(share.value, 6),
        "failure_ratio_low": round(share.low, 6),
        "failure_ratio_high": round(share.high, 6),
        "p50_ms": percentile(traffic, 0.5).value,
        "p95_ms": slow.value,
        "p95_low_ms": slow.low,
        "p95_high_ms": slow.high,
    }


def summary(findings: Sequence[Finding], verdict: Verdict) -> str:
    """Return why the verdict is what it is, in one sentence."""
    deciding = [f"{finding.rule} {finding.message}" for finding in findings]
    if verdict is not Verdict.PASS:
        found = zip(findings, deciding)
        return next(words for finding, words in found if finding.verdict is verdict)
    return "; ".join(f"{f.subject} {f.message.rstrip('.')}" for f in findings[1:]) + "."


def _same_release(release_id: str, seen: Sequence[str | None]) -> Finding:
    others = sorted({other for other in seen if other} - {release_id})
    if others:
        message = (
            f"void: {', '.join(others)} answered as well during the test of {release_id}. "
            "Test again while nothing is deployed."
        )
        return Finding(SAME_RELEASE.id, "release", Verdict.INCONCLUSIVE, message)
    if not seen or seen[-1] is None:
        message = f"after the test {release_id} answers no more; its log says why."
        return Finding(SAME_RELEASE.id, "release", Verdict.FAIL, message)
    return Finding(SAME_RELEASE.id, "release", Verdict.PASS, f"{release_id} throughout.")


def _enough(traffic: Traffic, limits: LoadtestParams) -> Finding:
    found, least = f"{traffic.requests:,}", limits.min_requests
    if traffic.requests >= least:
        return Finding(ENOUGH_REQUESTS.id, "requests", Verdict.PASS, f"{found}.")
    message = (
        f"{found}, at least {least:,} are needed (loadtest.min_requests). "
        "Test for longer (loadtest.seconds) or with more users (loadtest.users)."
    )
    return Finding(ENOUGH_REQUESTS.id, "requests", Verdict.INCONCLUSIVE, message)


def _failures(traffic: Traffic, limits: LoadtestParams) -> Finding:
    share, bound = failure_share(traffic), limits.max_error_ratio
    found = f"{traffic.failures:,}, {share.value:.2%} [{share.low:.2%}, {share.high:.2%}]"
    allowed = f"at most {bound:.2%} allowed (loadtest.max_error_ratio)"
    return _against(FEW_FAILURES, "failures", share, bound, f"{found}, {allowed}.")


def _latency(traffic: Traffic, limits: LoadtestParams) -> Finding:
    slow, budget = percentile(traffic, QUANTILE), limits.p95_ms
    found = f"{slow.value:g} ms [{slow.low:g}, {slow.high:g}]"
    allowed = f"at most {budget:g} ms allowed (loadtest.p95_ms)"
    return _against(FAST_ENOUGH, "p95", slow, budget, f"{found}, {allowed}.")


def _against(rule: Rule, subject: str, found: Interval, bound: float, message: str) -> Finding:
    """Pass what keeps to its bound; fail what exceeds it by more than chance explains."""
    if found.value <= bound:
        return Finding(rule.id, subject, Verdict.PASS, message)
    if found.low > bound:
        return Finding(rule.id, subject, Verdict.FAIL, message)
    message = f"{message} It may be chance; test for longer (loadtest.seconds) to tell."
    return Finding(rule.id, subject, Verdict.INCONCLUSIVE, message)


def failure_share(traffic: Traffic) -> Interval:
    """Return the share of failures with its interval after Clopper and Pearson (1934)."""
    failed, count, tail = traffic.failures, traffic.requests, (1 - CONFIDENCE) / 2
    low = _root(lambda p: at_least(failed, count, p) - tail) if failed else 0.0
    high = _root(lambda p: at_least(failed + 1, count, p) - 1 + tail) if failed < count else 1.0
    return Interval(failed / count, low, high)


def percentile(traffic: Traffic, q: float) -> Interval:
    """Return a quantile of latency (ms); its interval holds whatever the distribution.

    The ends are order statistics: as many requests are below the true quantile as a binomial
    variable with probability q says (David and Nagaraja, Order Statistics, section 7.1).
    """
    count, tail = sum(traffic.latencies.values()), (1 - CONFIDENCE) / 2
    ranks = range(1, count + 1)
    low = bisect_left(ranks, True, key=lambda rank: 1 - at_least(rank, count, q) > tail)
    high = 1 + bisect_left(ranks, True, key=lambda rank: at_least(rank, count, q) <= tail)
    return Interval(
        _ranked(traffic, math.ceil(q * count)),
        _ranked(traffic, low) if low else 0.0,
        _ranked(traffic, min(high, count)),
    )


def _ranked(traffic: Traffic, rank: int) -> float:
    passed = 0
    for ms in sorted(traffic.latencies):
        passed += traffic.latencies[ms]
        if passed >= rank:
            return float(ms)
    raise ValueError(f"there are {passed} latencies, not {rank}")


def at_least(k: int, n: int, p: float) -> float:
    """Return the probability of k or more successes in n trials of probability p."""
    if k <= 0 or p >= 1:
        return float(k <= n)
    if k > n or p <= 0:
        return 0.0
    if k <= n * p:
        # From here the terms would grow before they shrink: add up the other side.
        return 1 - at_least(n - k + 1, n, 1 - p)
    choices = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term, total = math.exp(choices + k * math.log(p) + (n - k) * math.log1p(-p)), 0.0
    while term > total * 1e-16:
        total += term
        term *= (n - k) / (k + 1) * p / (1 - p)
        k += 1
    return total


def _root(increasing: Callable[[float], float]) -> float:
    """Return where a function that increases over [0, 1] is zero."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if increasing(middle) < 0 else (low, middle)
    return low
