"""The figures for Prometheus; no label takes what a client may choose, so none grows for ever."""

import os
from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mlops.serving.log import Scored
from mlops.serving.schema import Rule, kind

PATHS = frozenset(
    ("/predict", "/version", "/docs.json", "/", "/metrics", "/readyz", "/livez", "/healthz")
)
# From one tree's answer to a batch of many rows; 0.2 s is the usual budget of a load test.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5)
REASONS = (
    *("bad_request", "media_type", "too_large", "slow", "hung_up", "method"),
    *("overload", "model"),
)
PROBABILITIES = tuple(round(step / 20, 2) for step in range(1, 21))


class Metrics:
    """Counts what is asked and answered; several workers share their figures."""

    def __init__(self, version: Mapping[str, Any]) -> None:
        # Imported late: prometheus_client decides on import whether several processes share
        # figures, by a variable that BentoML sets when it starts a worker.
        from prometheus_client import Counter, Gauge, Histogram

        labels = ("name", "release_id", "environment", "model_digest", "commit")
        info = Gauge("mlops_release_info", "What is serving", labels, multiprocess_mode="livemax")
        info.labels(*(version[label] or "" for label in labels)).set(1)
        requests = Counter("mlops_requests", "Requests answered", ["path", "status"])
        seconds = Histogram("mlops_request_seconds", "Time to answer", ["path"], buckets=SECONDS)
        self._of = cache(lambda *two: (requests.labels(*two), seconds.labels(two[0])))
        self.refused = Counter("mlops_refused", "Requests for scores that got none", ["reason"])
        for reason in REASONS:
            # A rate from nought is one only if there was a nought.
            self.refused.labels(reason)
        self.in_flight = Gauge(
            "mlops_in_flight", "Requests for scores not answered yet", multiprocess_mode="livesum"
        )
        self.unlogged = Counter(
            "mlops_predictions_unlogged", "Rows scored but missing in the prediction log"
        )

    def answered(self, path: str, status: int, seconds: Sequence[float]) -> None:
        """Count requests that were answered alike, and how long each took."""
        requests, took = self._of(path if path in PATHS else "other", status)
        requests.inc(len(seconds))
        _observe(took, seconds)


class Predictions:
    """Counts rows, their scores, and what in them training has not seen."""

    def __init__(self, reference: Mapping[str, Any], fields: Mapping[str, Rule]) -> None:
        from prometheus_client import Counter, Histogram

        self._known = _known(reference, fields)
        self._rows = Counter("mlops_predictions", "Rows scored")
        edges = _edges(reference, fields)
        self._scores = Histogram("mlops_score", "Scores given", buckets=edges)
        self._unseen = Counter(
            "mlops_unseen", "Rows whose category is none of the usual in training", ["field"]
        )
        for field in self._known:
            self._unseen.labels(field)

    def count(self, made: Sequence[Scored]) -> None:
        """Count rows, what they were and their scores."""
        every = [score for scored in made for score in scored.scores]
        self._rows.inc(len(every))
        _observe(self._scores, every)
        for scored in made:
            for field, known in self._known.items():
                if not known.issuperset(values := scored.columns[field]):
                    self._unseen.labels(field).inc(sum(value not in known for value in values))


def _observe(histogram: Any, values: Sequence[float]) -> None:
    """Do what Histogram.observe does for each value: a thousand times that takes 2 ms."""
    # pylint: disable=protected-access
    counts = Counted(bisect_left(histogram._upper_bounds, value) for value in values)
    for place, count in counts.items():
        histogram._buckets[place].inc(count)
    histogram._sum.inc(sum(values))


def exposition() -> tuple[bytes, str]:
    """Return the figures of all workers as Prometheus reads them, and their content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def settle_files() -> None:
    """Forget what workers that are gone held, and take the disk space that figures need.

    Figures are mapped memory: on a full disk, the first touch of a page would kill the worker.
    """
    from prometheus_client.multiprocess import mark_process_dead

    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for path in Path(folder).glob("*.db") if folder else ():
        owner = int(path.stem.rpartition("_")[2])
        if owner == os.getpid() and hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        elif not _lives(owner):
            mark_process_dead(owner)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _edges(reference: Mapping[str, Any], fields: Mapping[str, Rule]) -> tuple[float, ...]:
    """Return the upper bounds of score buckets: of a probability, or the target's own."""
    target = next((bins for name, bins in reference.items() if name not in fields), {})
    values = set(target.get("values", ()))
    if values - {"0", "1", "True", "False"}:
        return tuple(sorted(map(float, values)))
    return tuple(target.get("edges", PROBABILITIES))


def _known(reference: Mapping[str, Any], fields: Mapping[str, Rule]) -> dict[str, frozenset]:
    """Return the usual values of each field that is text."""
    texts = [name for name, rule in fields.items() if kind(rule) == "string" and name in reference]
    return {name: frozenset((*reference[name]["values"], None)) for name in texts}
