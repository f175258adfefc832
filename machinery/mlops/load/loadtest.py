"""The verdict of a load test: from Locust's counts to findings and figures. No I/O.

Failures are judged by an exact binomial interval and the 95th percentile by an interval of order
statistics, so a single failure or slow answer decides nothing. Both intervals assume independent
requests; consecutive requests of one user are nearly independent.
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
FEW_FAILURES = Rule("L103", "The share of failed requests is within its bound.")
FAST_ENOUGH = Rule("L104", "The 95th percentile of latency is within its budget.")

RULES = (SAME_RELEASE, ENOUGH_REQUESTS, FEW_FAILURES, FAST_ENOUGH)


@dataclass(frozen=True)
class Traffic:
    """Locust's counts; latencies are whole milliseconds, above 100 rounded to two digits."""

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
    """Add up the entries of Locust's JSON."""
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
    release_id: str, release_ids: Sequence[str | None], traffic: Traffic, limits: LoadtestParams
) -> list[Finding]:
    """Return the finding of each rule.

    `release_ids` are those that answered during the test; the last one answered after it.
    """
    same = _same_release(release_id, release_ids)
    if same.verdict is Verdict.INCONCLUSIVE:
        return [same]
    findings = [same, _enough(traffic, limits)]
    if traffic.requests:
        findings += [_failures(traffic, limits), _latency(traffic, limits)]
    return findings


def figures(traffic: Traffic) -> dict[str, float]:
    """Return the measured figures, for the record of the release."""
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
    """Return the reason for the verdict, in one sentence."""
    if verdict is not Verdict.PASS:
        deciding = next(finding for finding in findings if finding.verdict is verdict)
        return f"{deciding.rule} {deciding.message}"
    return "; ".join(f"{f.subject} {f.message.rstrip('.')}" for f in findings[1:]) + "."


def _same_release(release_id: str, release_ids: Sequence[str | None]) -> Finding:
    others = sorted({other for other in release_ids if other} - {release_id})
    if others:
        message = (
            f"void: {', '.join(others)} answered as well during the test of {release_id}. "
            "Test again while nothing is deployed."
        )
        return Finding(SAME_RELEASE.id, "release", Verdict.INCONCLUSIVE, message)
    if not release_ids or release_ids[-1] is None:
        message = f"after the test {release_id} does not answer; see its log."
        return Finding(SAME_RELEASE.id, "release", Verdict.FAIL, message)
    return Finding(SAME_RELEASE.id, "release", Verdict.PASS, f"{release_id} throughout.")


def _enough(traffic: Traffic, limits: LoadtestParams) -> Finding:
    count, minimum = f"{traffic.requests:,}", limits.min_requests
    if traffic.requests >= minimum:
        return Finding(ENOUGH_REQUESTS.id, "requests", Verdict.PASS, f"{count}.")
    message = (
        f"{count}, at least {minimum:,} are needed (loadtest.min_requests). "
        "Test for longer (loadtest.seconds) or with more users (loadtest.users)."
    )
    return Finding(ENOUGH_REQUESTS.id, "requests", Verdict.INCONCLUSIVE, message)


def _failures(traffic: Traffic, limits: LoadtestParams) -> Finding:
    share, bound = failure_share(traffic), limits.max_error_ratio
    measured = f"{traffic.failures:,}, {share.value:.2%} [{share.low:.2%}, {share.high:.2%}]"
    allowed = f"at most {bound:.2%} allowed (loadtest.max_error_ratio)"
    return _compare(FEW_FAILURES, "failures", share, bound, f"{measured}, {allowed}.")


def _latency(traffic: Traffic, limits: LoadtestParams) -> Finding:
    slow, budget = percentile(traffic, QUANTILE), limits.p95_ms
    measured = f"{slow.value:g} ms [{slow.low:g}, {slow.high:g}]"
    allowed = f"at most {budget:g} ms allowed (loadtest.p95_ms)"
    return _compare(FAST_ENOUGH, "p95", slow, budget, f"{measured}, {allowed}.")


def _compare(rule: Rule, subject: str, measured: Interval, bound: float, message: str) -> Finding:
    """Pass a value within its bound; fail one whose whole interval is beyond it."""
    if measured.value <= bound:
        return Finding(rule.id, subject, Verdict.PASS, message)
    if measured.low > bound:
        return Finding(rule.id, subject, Verdict.FAIL, message)
    message = f"{message} It may be chance; test for longer (loadtest.seconds)."
    return Finding(rule.id, subject, Verdict.INCONCLUSIVE, message)


def failure_share(traffic: Traffic) -> Interval:
    """Return the share of failures with its interval after Clopper and Pearson (1934)."""
    failed, count, tail = traffic.failures, traffic.requests, (1 - CONFIDENCE) / 2
    low = _root(lambda p: at_least(failed, count, p) - tail) if failed else 0.0
    high = _root(lambda p: at_least(failed + 1, count, p) - 1 + tail) if failed < count else 1.0
    return Interval(failed / count, low, high)


def percentile(traffic: Traffic, q: float) -> Interval:
    """Return a quantile of latency (ms); its interval is valid for any distribution.

    Its ends are order statistics: the number of requests below the true quantile is binomial with
    probability q (David and Nagaraja, Order Statistics, section 7.1).
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
    count = 0
    for ms in sorted(traffic.latencies):
        count += traffic.latencies[ms]
        if count >= rank:
            return float(ms)
    raise ValueError(f"there are {count} latencies, not {rank}")


def at_least(k: int, n: int, p: float) -> float:
    """Return the probability of k or more successes in n trials of probability p."""
    if k <= 0 or p >= 1:
        return float(k <= n)
    if k > n or p <= 0:
        return 0.0
    if k <= n * p:
        # The terms would grow before they shrink: add up the other tail.
        return 1 - at_least(n - k + 1, n, 1 - p)
    choices = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term, total = math.exp(choices + k * math.log(p) + (n - k) * math.log1p(-p)), 0.0
    while term > total * 1e-16:
        total += term
        term *= (n - k) / (k + 1) * p / (1 - p)
        k += 1
    return total


def _root(increasing: Callable[[float], float]) -> float:
    """Return the zero of a function that increases over [0, 1]."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if increasing(middle) < 0 else (low, middle)
    return low
