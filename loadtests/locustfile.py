"""The traffic that a release must survive: most requests have one row, some have many.

`make loadtest ENV=staging` runs Locust with this file, on the service of that environment. To try
it by hand: .venv/bin/locust -f loadtests/locustfile.py --host http://127.0.0.1:3002
"""

import json
import math
import os
import random
from datetime import datetime
from typing import Any

from locust import FastHttpUser, between, task

import data

SAMPLED = 2000
MOST_ROWS = 20


def newest_rows() -> list[dict]:
    """Return the features of the newest partition in use, as rows for requests."""
    frame, _ = data.load(os.environ.get("LOADTEST_NEWEST") or data.partitions()[-1])
    targets = {data.TARGET} if isinstance(data.TARGET, str) else set(data.TARGET)
    others = {*targets, data.TIME, getattr(data, "GROUP", None)}
    features = frame.drop(columns=others.intersection(frame.columns))
    sample = features.sample(min(SAMPLED, len(features)), random_state=0)
    # Not DataFrame.to_json, which rounds to ten decimals.
    rows = sample.astype(object).where(sample.notna(), None).to_dict("records")
    return [{name: as_sent(value) for name, value in row.items()} for row in rows]


def as_sent(value: Any) -> Any:
    """Return a value as JSON can hold it: a day, or a time with its offset, is text."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.date()).isoformat()
    return value


ROWS = newest_rows()
# A small partition, or a service that takes few rows at once, has smaller batches.
BATCH = min(MOST_ROWS, len(ROWS), int(os.environ.get("LOADTEST_MAX_ROWS") or MOST_ROWS))


class PredictUser(FastHttpUser):
    """Sends one request after another, with a short pause."""

    wait_time = between(0.01, 0.1)
    # A request that hangs counts as a failure.
    connection_timeout = 5.0
    network_timeout = 5.0

    @task(9)
    def one_row(self) -> None:
        """Send a single row, like most clients."""
        self._ask(random.sample(ROWS, 1), "one row")

    @task(1)
    def a_batch(self) -> None:
        """Send a small batch."""
        self._ask(random.sample(ROWS, BATCH), f"{BATCH} rows")

    def _ask(self, rows: list[dict], name: str) -> None:
        with self.client.post(
            "/predict", json={"rows": rows}, name=name, catch_response=True
        ) as answer:
            problem = problem_with(answer.status_code, answer.text, len(rows))
            if problem:
                answer.failure(problem)


def numbers(prediction: dict) -> list:
    """Return the score of a prediction, or its scores."""
    return list(prediction["scores"].values()) if "scores" in prediction else [prediction["score"]]


def problem_with(status: int, text: str | None, rows: int) -> str | None:
    """Return the problem with the answer to a request of so many rows, None if it is correct."""
    if status != 200:
        return f"status {status}: {text}"
    try:
        predictions = json.loads(text or "")["predictions"]
        scores = [float(score) for prediction in predictions for score in numbers(prediction)]
        ids = {prediction["id"] for prediction in predictions}
    except (ValueError, KeyError, TypeError) as error:
        return f"not an answer to /predict: {error!r}"
    if len(predictions) != rows or len(ids) != rows:
        return f"{len(predictions)} predictions and {len(ids)} ids for {rows} rows"
    if not all(map(math.isfinite, scores)):
        return "a score is no number"
    return None
