"""The traffic a release must survive: clients that ask about one row, and some about many.

Locust runs this file; `make loadtest ENV=staging` says against what, with how many users and for
how long. Try it by hand: .venv/bin/locust -f loadtests/locustfile.py --host http://127.0.0.1:3002
"""

import json
import math
import os
import random

from locust import FastHttpUser, between, task

import data

SAMPLED = 2000
BATCH = 20


def newest_rows() -> list[dict]:
    """Return rows of the newest partition in use, as a client sends them: features only."""
    frame, _ = data.load(os.environ.get("LOADTEST_NEWEST") or data.partitions()[-1])
    others = {data.TARGET, data.TIME, getattr(data, "GROUP", None)}
    features = frame.drop(columns=others.intersection(frame.columns))
    sample = features.sample(min(SAMPLED, len(features)), random_state=0)
    return json.loads(sample.to_json(orient="records", date_format="iso"))


ROWS = newest_rows()


class Client(FastHttpUser):
    """Asks again and again, with a pause for thought."""

    wait_time = between(0.01, 0.1)
    # A request that hangs is a failure to count, not one to wait for.
    connection_timeout = 5.0
    network_timeout = 5.0

    @task(9)
    def one_row(self) -> None:
        """Ask about a single row, as most do."""
        self._ask(random.sample(ROWS, 1), "one row")

    @task(1)
    def a_batch(self) -> None:
        """Ask about a small batch."""
        self._ask(random.sample(ROWS, BATCH), f"{BATCH} rows")

    def _ask(self, rows: list[dict], name: str) -> None:
        with self.client.post(
            "/predict", json={"rows": rows}, name=name, catch_response=True
        ) as answer:
            problem = problem_with(answer.status_code, answer.text, len(rows))
            if problem:
                answer.failure(problem)


def problem_with(status: int, text: str | None, rows: int) -> str | None:
    """Say what is wrong with an answer about so many rows; None if it is as it should be."""
    if status != 200:
        return f"status {status}: {text}"
    try:
        predictions = json.loads(text or "")["predictions"]
        scores = [float(prediction["score"]) for prediction in predictions]
        ids = {prediction["id"] for prediction in predictions}
    except (ValueError, KeyError, TypeError) as error:
        return f"not an answer to /predict: {error!r}"
    if len(scores) != rows or len(ids) != rows:
        return f"{len(scores)} scores and {len(ids)} ids for {rows} rows"
    if not all(map(math.isfinite, scores)):
        return "a score is no number"
    return None
