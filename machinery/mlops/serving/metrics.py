"""Prometheus metrics. No label holds a value that clients choose, so the series are bounded."""

import os
from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from mlops.serving.answer import CLASSES, Answer
from mlops.serving.log import ScoredBatch
from mlops.serving.schema import JsonSchema, kind

PATHS = frozenset(
    ("/predict", "/version", "/docs.json", "/", "/metrics", "/readyz", "/livez", "/healthz")
)
# From one row of a small model to a large batch; 0.2 s is the usual budget of a load test.
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5)
REASONS = (
    *("bad_request", "media_type", "too_large", "slow", "hung_up", "method"),
    *("overload", "model"),
)
MOST_EDGES = 20
# As check-data has it.
TIMES_USUAL, MAX_UNSEEN = 2, 0.1
PROBABILITIES = tuple(round(step / 20, 2) for step in range(1, 21))


class Metrics:
    """Counts requests and answers; several workers share the metrics."""

    def __init__(self, version: Mapping[str, Any]) -> None:
        # Imported late: on import, prometheus_client reads a variable that BentoML sets at the
        # start of a worker, and decides whether processes share metrics.
        from prometheus_client import Counter, Gauge, Histogram

        labels = ("name", "release_id", "environment", "model_digest", "commit")
        info = Gauge("mlops_release_info", "What is serving", labels, multiprocess_mode="livemax")
        info.labels(*(version[label] or "" for label in labels)).set(1)
        requests = Counter("mlops_requests", "Requests answered", ["path", "status"])
        seconds = Histogram(
            "mlops_request_seconds", "Time to answer", ["path"], buckets=LATENCY_BUCKETS
        )
        self._series = cache(
            lambda path, status: (requests.labels(path, status), seconds.labels(path))
        )
        self.rejected = Counter("mlops_refused", "Requests for scores that got none", ["reason"])
        for reason in REASONS:
            # Creates the series with the value 0, so that the first rejection is an increase.
            self.rejected.labels(reason)
        self.in_flight = Gauge(
            "mlops_in_flight", "Requests for scores not answered yet", multiprocess_mode="livesum"
        )
        self.unlogged = Counter(
            "mlops_predictions_unlogged", "Rows scored but missing in the prediction log"
        )

    def count_answers(self, path: str, status: int, seconds: Sequence[float]) -> None:
        """Count requests with the same path and status, and the time each took."""
        requests, histogram = self._series(path if path in PATHS else "other", status)
        requests.inc(len(seconds))
        _observe(histogram, seconds)


class PredictionMetrics:
    """Counts rows, their scores, and their categories that training has not seen."""

    def __init__(
        self,
        reference: Mapping[str, Any],
        fields: Mapping[str, JsonSchema],
        answer: Answer = Answer(),
        max_unseen: float | Mapping[str, float] = MAX_UNSEEN,
    ) -> None:
        from prometheus_client import Counter, Gauge

        bounds = _unseen_bounds(reference, fields, max_unseen)
        self._categories = {name: frozenset((*reference[name]["values"], None)) for name in bounds}
        self._rows = Counter("mlops_predictions", "Rows scored")
        edges = PROBABILITIES if answer.kind == CLASSES else _edges(reference, fields)
        self._scores = _score_metrics(answer, edges)
        self._unseen = Counter(
            "mlops_unseen", "Rows whose category is none of the usual in training", ["field"]
        )
        # The alert compares with it, so that no bound of one model stands in the alerts.
        bound = Gauge(
            "mlops_unseen_bound",
            "Largest share of rows with such a category",
            ["field"],
            multiprocess_mode="livemax",
        )
        for field, share in bounds.items():
            self._unseen.labels(field)
            bound.labels(field).set(share)

    def count(self, batches: Sequence[ScoredBatch]) -> None:
        """Count the rows of these batches, their scores and their unseen categories."""
        scores = [score for batch in batches for score in batch.scores]
        self._rows.inc(len(scores))
        self._scores(scores)
        for batch in batches:
            for field, usual in self._categories.items():
                if not usual.issuperset(values := batch.columns[field]):
                    self._unseen.labels(field).inc(sum(value not in usual for value in values))


def _score_metrics(answer: Answer, edges: tuple[float, ...]) -> Callable[[list[Any]], None]:
    """Return what observes the scores of rows: one histogram, or one for each output.

    Of classes the likeliest one is counted, and its probability observed.
    """
    from prometheus_client import Counter, Histogram

    labels = ["output"] if answer.names and answer.kind != CLASSES else []
    histogram = Histogram("mlops_score", "Scores given", labels, buckets=edges)
    if not answer.names:
        return partial(_observe, histogram)
    if answer.kind != CLASSES:
        outputs = [histogram.labels(name) for name in answer.names]
        return lambda scores: [_observe(*pair) for pair in zip(outputs, zip(*scores))]
    likeliest = Counter("mlops_class", "Rows by their likeliest class", ["class"])
    classes = [likeliest.labels(name) for name in answer.names]

    def count(scores: list[list[float]]) -> None:
        """Count the likeliest class of each row, and observe its probability."""
        tops = [max(row) for row in scores]
        _observe(histogram, tops)
        for position, rows in Counted(map(list.index, scores, tops)).items():
            classes[position].inc(rows)

    return count


def _observe(histogram: Any, values: Sequence[float]) -> None:
    """Observe all values at once; a thousand calls of Histogram.observe take 2 ms."""
    # pylint: disable=protected-access
    counts = Counted(bisect_left(histogram._upper_bounds, value) for value in values)
    for bucket, count in counts.items():
        histogram._buckets[bucket].inc(count)
    histogram._sum.inc(sum(values))


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all workers in Prometheus' format, and the content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def prepare_metric_files() -> None:
    """Remove the gauges of dead workers, and allocate the disk space of this worker's metrics.

    Metrics are memory-mapped: on a full disk, the first write to a page would kill the worker.
    """
    from prometheus_client.multiprocess import mark_process_dead

    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for path in Path(folder).glob("*.db") if folder else ():
        owner = int(path.stem.rpartition("_")[2])
        if owner == os.getpid() and hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        elif not _is_alive(owner):
            mark_process_dead(owner)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _edges(reference: Mapping[str, Any], fields: Mapping[str, JsonSchema]) -> tuple[float, ...]:
    """Return the upper bounds of the score buckets: those of a probability, or the targets' own."""
    targets = [bins for name, bins in reference.items() if name not in fields]
    edges: set[float] = set()
    for target in targets:
        values = set(target.get("values", ()))
        if values <= {"0", "1", "True", "False"}:
            edges.update(target.get("edges", PROBABILITIES))
        else:
            edges.update(map(float, values))
    # Several targets share their buckets: no more of them than of a probability.
    step = max(1, -(-len(edges) // MOST_EDGES)) if len(targets) > 1 else 1
    return tuple(sorted(edges)[::step]) or PROBABILITIES


def _unseen_bounds(
    reference: Mapping[str, Any],
    fields: Mapping[str, JsonSchema],
    max_unseen: float | Mapping[str, float],
) -> dict[str, float]:
    """Return the largest share of rows with an unusual value, for each text field of categories.

    It is check.max_unseen, or twice the share in training where that is more. A field where half
    of training's rows have a value that is unusual holds names or remarks, no categories.
    """
    bounds = {}
    for name in (name for name, rule in fields.items() if kind(rule) == "string"):
        bins = reference.get(name, {})
        if "values" not in bins:
            continue
        *_, others, missing = bins["rows"]
        present = sum(bins["rows"]) - missing
        usual = TIMES_USUAL * others / present if present else 0.0
        share = max_unseen
        if isinstance(max_unseen, Mapping):
            share = max_unseen.get(name, max_unseen.get("default", MAX_UNSEEN))
        if usual < 1:
            bounds[name] = max(share, usual)
    return bounds
